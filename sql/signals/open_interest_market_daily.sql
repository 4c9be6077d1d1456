-- Grain: one row per market_date and venue.
-- What is open in all perpetuals of a venue, and of all venues; how it changed over the
-- perpetuals seen on both days, if they hold four fifths of the day before; and how
-- much was closed: units that went, at today's price.
with open_interest as (
    select * from staging.open_interest_daily
    where open_interest_usd > 0
),

cut_offs as (
    select 0.8 as min_matched_fraction
),

pairs as (
    select
        today.market_date,
        today.venue,
        today.open_interest_usd,
        yesterday.open_interest_usd as previous_usd,
        greatest(yesterday.open_interest_units - today.open_interest_units, 0)
        * today.open_interest_usd / nullif(today.open_interest_units, 0) as closed_usd
    from open_interest as today
    left join open_interest as yesterday
        on
            today.market_date - 1 = yesterday.market_date
            and today.venue = yesterday.venue
            and today.perp_symbol = yesterday.perp_symbol
),

listed as (
    select * from pairs
    union all
    select
        market_date,
        'all' as venue,
        open_interest_usd,
        previous_usd,
        closed_usd
    from pairs
),

-- Sums of decimals, which do not depend on their order.
sums as (
    select
        market_date,
        venue,
        count(*) as perp_count,
        cast(sum(cast(open_interest_usd as decimal(38, 6))) as double)
            as open_interest_usd,
        cast(
            sum(cast(open_interest_usd as decimal(38, 6))) filter (
                where previous_usd is not null
            ) as double
        ) as matched_usd,
        cast(sum(cast(previous_usd as decimal(38, 6))) as double)
            as matched_previous_usd,
        cast(sum(cast(closed_usd as decimal(38, 6))) as double) as closed_usd
    from listed
    group by market_date, venue
),

compared as (
    select
        sums.*,
        sums.matched_previous_usd >= cut_offs.min_matched_fraction * (
            case
                when lag(sums.market_date) over by_venue = sums.market_date - 1
                    then lag(sums.open_interest_usd) over by_venue
            end
        ) as is_matched
    from sums
    cross join cut_offs
    window by_venue as (partition by sums.venue order by sums.market_date)
),

final as (
    select
        market_date,
        venue,
        perp_count,
        open_interest_usd,
        case
            when is_matched then matched_usd / matched_previous_usd - 1
        end as change_1d_fraction,
        case when is_matched then closed_usd end as closed_usd
    from compared
)

select * from final
