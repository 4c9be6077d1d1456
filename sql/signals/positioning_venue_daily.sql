-- Grain: one row per market_date, venue and coin_id.
-- How a venue's accounts stand in a coin, over all its perpetuals: ratios as means of
-- their logarithms, weighted by open interest. A ratio with less than 2 % of the
-- accounts on one side is left out. Perpetuals of shares and metals have no coin and no
-- row.
with symbols as (
    select * from staging.perp_symbol_map
    where coin_id is not null
),

positioning as (
    select * from staging.positioning_daily
),

open_interest as (
    select * from staging.open_interest_daily
),

funding as (
    select * from staging.funding_daily
),

closes as (
    select * from staging.perp_daily
),

cut_offs as (
    select ln(0.98 / 0.02) as max_abs_log
),

-- A perpetual without open interest counts as one of a dollar.
joined as (
    select
        symbols.market_date,
        symbols.venue,
        symbols.coin_id,
        greatest(coalesce(open_interest.open_interest_usd, 1), 1) as weight,
        open_interest.open_interest_usd,
        closes.volume_usd,
        funding.funding_rate_fraction,
        case
            when
                abs(ln(nullif(positioning.long_short_account_ratio, 0)))
                <= cut_offs.max_abs_log
                then ln(positioning.long_short_account_ratio)
        end as account_log,
        case
            when
                abs(ln(nullif(positioning.top_account_ratio, 0)))
                <= cut_offs.max_abs_log
                then ln(positioning.top_account_ratio)
        end as top_account_log,
        case
            when
                abs(ln(nullif(positioning.top_position_ratio, 0)))
                <= cut_offs.max_abs_log
                then ln(positioning.top_position_ratio)
        end as top_position_log,
        ln(nullif(positioning.taker_buy_sell_ratio, 0)) as taker_log
    from symbols
    cross join cut_offs
    left join positioning
        on
            symbols.market_date = positioning.market_date
            and symbols.venue = positioning.venue
            and symbols.perp_symbol = positioning.perp_symbol
    left join open_interest
        on
            symbols.market_date = open_interest.market_date
            and symbols.venue = open_interest.venue
            and symbols.perp_symbol = open_interest.perp_symbol
    left join funding
        on
            symbols.market_date = funding.market_date
            and symbols.venue = funding.venue
            and symbols.perp_symbol = funding.perp_symbol
    left join closes
        on
            symbols.market_date = closes.market_date
            and symbols.venue = closes.venue
            and symbols.perp_symbol = closes.perp_symbol
),

-- Decimals, whose sums do not depend on their order.
exact as (
    select
        *,
        cast(weight as decimal(38, 9)) as exact_weight,
        cast(weight * account_log as decimal(38, 9)) as weighted_account,
        cast(weight * top_account_log as decimal(38, 9)) as weighted_top_account,
        cast(weight * top_position_log as decimal(38, 9)) as weighted_top_position,
        cast(weight * taker_log as decimal(38, 9)) as weighted_taker,
        cast(weight * funding_rate_fraction as decimal(38, 9)) as weighted_funding
    from joined
),

final as (
    select
        market_date,
        venue,
        coin_id,
        cast(sum(weighted_account) as double)
        / cast(sum(exact_weight) filter (where account_log is not null) as double)
            as account_log,
        cast(sum(weighted_top_account) as double)
        / cast(sum(exact_weight) filter (where top_account_log is not null) as double)
            as top_account_log,
        cast(sum(weighted_top_position) as double)
        / cast(sum(exact_weight) filter (where top_position_log is not null) as double)
            as top_position_log,
        cast(sum(weighted_taker) as double)
        / cast(sum(exact_weight) filter (where taker_log is not null) as double)
            as taker_log,
        cast(sum(weighted_funding) as double)
        / cast(
            sum(exact_weight) filter (where funding_rate_fraction is not null) as double
        ) as funding_rate_fraction,
        cast(sum(cast(open_interest_usd as decimal(38, 9))) as double)
            as open_interest_usd,
        cast(sum(cast(volume_usd as decimal(38, 9))) as double) as volume_usd,
        count(*) as perp_count
    from exact
    group by market_date, venue, coin_id
)

select * from final
