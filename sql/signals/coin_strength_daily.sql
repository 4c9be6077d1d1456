-- Grain: one row per market_date and coin_id.
-- How one-sided a coin's last fourteen days were, 0 to 100: the mean of its rises over
-- the mean of its moves, of closes 24 hours apart. It is the relative strength index
-- with plain means (Cutler), which needs no history beyond its window; Wilder's
-- smoothing never forgets. Needs all fourteen moves.
with returns as (
    select * from signals.coin_return_daily
    where return_1d_fraction is not null and stale_days = 0
),

cut_offs as (
    select 14 as move_count
),

-- Decimals, whose sums do not depend on the days around a window.
moves as (
    select
        market_date,
        coin_id,
        cast(
            greatest(price_usd - price_usd / (1 + return_1d_fraction), 0)
            as decimal(38, 18)
        ) as rise_usd,
        cast(
            abs(price_usd - price_usd / (1 + return_1d_fraction)) as decimal(38, 18)
        ) as move_usd
    from returns
),

summed as (
    select
        market_date,
        coin_id,
        count(*) over fortnight as move_count,
        cast(sum(rise_usd) over fortnight as double) as rise_usd,
        cast(sum(move_usd) over fortnight as double) as move_usd
    from moves
    window
        fortnight as (
            partition by coin_id
            order by market_date
            range between interval 13 days preceding and current row
        )
),

final as (
    select
        summed.market_date,
        summed.coin_id,
        100 * summed.rise_usd / nullif(summed.move_usd, 0) as strength_14d_score
    from summed
    cross join cut_offs
    where summed.move_count = cut_offs.move_count
)

select * from final
