-- Grain: one row per market_date.
-- Bitcoin's year so far and how much of it has been given back, by our own closes. "It
-- lost 30 %" has three readings, each with the price at which it comes true: the whole
-- gain of the year is gone, three tenths of that gain are gone, or the price is 30 %
-- below the highest close.
with closes as (
    select * from staging.coin_price_daily
    where coin_id = 'bitcoin' and not is_held
),

symbols as (
    select * from staging.perp_symbol_map
    where coin_id = 'bitcoin' and multiplier = 1
),

-- A close hides how far a day went; the perpetual that is traded most shows it.
perps as (
    select
        perps.market_date,
        perps.high_usd as perp_high_usd
    from staging.perp_daily as perps
    inner join symbols
        on
            perps.market_date = symbols.market_date
            and perps.venue = symbols.venue
            and perps.perp_symbol = symbols.perp_symbol
    where perps.high_usd > 0
    qualify row_number() over (
        partition by perps.market_date
        order by
            perps.volume_usd desc nulls last,
            perps.venue asc,
            perps.perp_symbol asc
    ) = 1
),

-- Part of a gain, or of a price, that the two other readings speak of.
cut_offs as (
    select 0.3 as lost_fraction
),

-- A year's base is its last close, if that fell on one of its last four days.
year_bases as (
    select
        year(market_date) + 1 as base_year,
        arg_max(price_usd, market_date) as base_price_usd
    from closes
    group by year(market_date)
    having max(market_date) >= make_date(year(market_date), 12, 28)
),

moves as (
    select
        *,
        case
            when market_date - 1 = lag(market_date) over in_time
                then ln(price_usd / lag(price_usd) over in_time)
        end as log_return
    from closes
    window in_time as (order by market_date)
),

tracked as (
    select
        *,
        max(price_usd) over so_far as high_usd,
        arg_max(market_date, price_usd) over so_far as high_date,
        max(price_usd) over this_year as ytd_high_usd,
        -- Crypto trades every day, so a year has 365 of them.
        case
            when count(log_return) over month >= 24
                then stddev_samp(log_return) over month * sqrt(365)
        end as volatility_30d_fraction
    from moves
    window
        so_far as (order by market_date),
        this_year as (partition by year(market_date) order by market_date),
        month as (
            order by market_date
            range between interval 29 days preceding and current row
        )
),

measured as (
    select
        tracked.*,
        year_bases.base_price_usd,
        tracked.ytd_high_usd - year_bases.base_price_usd as gain_usd,
        (tracked.ytd_high_usd - tracked.price_usd)
        / nullif(greatest(tracked.ytd_high_usd - year_bases.base_price_usd, 0), 0)
            as giveback_fraction
    from tracked
    left join year_bases on year(tracked.market_date) = year_bases.base_year
),

final as (
    select
        measured.market_date,
        measured.price_usd,
        perps.perp_high_usd,
        measured.base_price_usd,
        measured.price_usd / measured.base_price_usd - 1 as return_ytd_fraction,
        measured.ytd_high_usd / measured.base_price_usd - 1 as return_ytd_high_fraction,
        measured.giveback_fraction,
        coalesce(measured.giveback_fraction >= 1, false) as is_gain_erased,
        coalesce(measured.giveback_fraction >= cut_offs.lost_fraction, false)
            as is_gain_part_lost,
        measured.price_usd <= (1 - cut_offs.lost_fraction) * measured.high_usd
            as is_part_below_high,
        case
            when measured.gain_usd > 0
                then measured.ytd_high_usd - cut_offs.lost_fraction * measured.gain_usd
        end as gain_part_lost_price_usd,
        (1 - cut_offs.lost_fraction) * measured.high_usd as part_below_high_price_usd,
        measured.high_usd,
        measured.high_date,
        measured.price_usd / measured.high_usd - 1 as drawdown_fraction,
        measured.market_date - measured.high_date as days_since_high,
        measured.volatility_30d_fraction,
        case
            when measured.base_price_usd is null then 'insufficient'
            when measured.giveback_fraction is null then 'no_gain'
            when measured.giveback_fraction >= 1 then 'ytd_erased'
            when measured.giveback_fraction >= cut_offs.lost_fraction then 'partial'
            else 'kept'
        end as state,
        measured.is_reconstructed
    from measured
    cross join cut_offs
    left join perps on measured.market_date = perps.market_date
)

select * from final
