-- Grain: one row per market_date and index_id.
-- How many coins of an index are how far below their own highs, by count and by cap,
-- and how many are near their lows. Half of the coins must have a figure. Coins that
-- later died are in, on the days on which they were members.
with members as (
    select * from signals.member_daily
),

drawdowns as (
    select * from signals.drawdown_asset_daily
),

cut_offs as (
    select
        0.5 as min_observed_fraction,
        0.5 as capitulation_fraction,
        0.35 as near_low_fraction
),

joined as (
    select
        members.market_date,
        members.index_id,
        drawdowns.drawdown_fraction,
        drawdowns.state,
        drawdowns.is_near_low,
        cast(
            case
                when drawdowns.drawdown_fraction is not null
                    then members.market_cap_usd
            end as decimal(38, 6)
        ) as known_cap
    from members
    left join drawdowns
        on
            members.market_date = drawdowns.market_date
            and members.coin_id = drawdowns.coin_id
),

counted as (
    select
        market_date,
        index_id,
        count(*) as constituent_count,
        count(drawdown_fraction) as observed_count,
        median(drawdown_fraction) as median_drawdown_fraction,
        count(*) filter (where state = 'down_0_20') as down_0_20,
        count(*) filter (where state = 'down_20_50') as down_20_50,
        count(*) filter (where state = 'down_50_80') as down_50_80,
        count(*) filter (where state = 'down_80_90') as down_80_90,
        count(*) filter (where state = 'down_90_100') as down_90_100,
        count(*) filter (where is_near_low) as near_low,
        cast(sum(known_cap) as double) as cap,
        cast(
            coalesce(sum(known_cap) filter (where state = 'down_80_90'), 0) as double
        ) as cap_80_90,
        cast(
            coalesce(sum(known_cap) filter (where state = 'down_90_100'), 0) as double
        ) as cap_90_100
    from joined
    group by market_date, index_id
),

-- Too few coins with a figure: the row stays, the shares are null.
known as (
    select
        counted.*,
        case
            when
                counted.observed_count
                >= cut_offs.min_observed_fraction * counted.constituent_count
                then nullif(counted.observed_count, 0)
        end as share_base,
        cut_offs.capitulation_fraction,
        cut_offs.near_low_fraction as extreme_fraction
    from counted
    cross join cut_offs
),

final as (
    select
        market_date,
        index_id,
        case when share_base is not null then median_drawdown_fraction end
            as median_drawdown_fraction,
        down_0_20 / share_base as down_0_20_fraction,
        down_20_50 / share_base as down_20_50_fraction,
        down_50_80 / share_base as down_50_80_fraction,
        down_80_90 / share_base as down_80_90_fraction,
        down_90_100 / share_base as down_90_100_fraction,
        (down_80_90 + down_90_100) / share_base as down_80_fraction,
        case when share_base is not null then cap_80_90 / nullif(cap, 0) end
            as down_80_90_cap_fraction,
        case when share_base is not null then cap_90_100 / nullif(cap, 0) end
            as down_90_100_cap_fraction,
        near_low / share_base as near_low_fraction,
        constituent_count,
        observed_count,
        observed_count / constituent_count as coverage_fraction,
        case
            when share_base is null then 'insufficient'
            when (down_80_90 + down_90_100) / share_base >= capitulation_fraction
                then 'capitulation'
            when near_low / share_base >= extreme_fraction then 'near_low_extreme'
            else 'normal'
        end as state
    from known
)

select * from final
