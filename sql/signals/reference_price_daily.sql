-- Grain: one row per market_date and coin_id.
-- The estimated mean price at which a coin's holders bought (Grinblatt and Han): each
-- day the part that changed hands is bought at the day's price, the rest keeps its
-- price. A day without a volume changes nothing; there is no estimate before four
-- fifths of the last 365 days have one.
with turnovers as (
    select * from signals.coin_turnover_daily
),

cut_offs as (
    select 292 as min_volume_days
),

-- The logarithm of the part of the first day's coins that still has not changed hands.
kept as (
    select
        market_date,
        coin_id,
        price_usd,
        coalesce(turnover_fraction, 0) as turnover_fraction,
        count(turnover_fraction) over (
            partition by coin_id
            order by market_date
            range between interval 364 days preceding and current row
        ) as volume_days,
        first_value(price_usd) over in_time as first_price_usd,
        sum(ln(1 - coalesce(turnover_fraction, 0))) over in_time as kept_log
    from turnovers
    window
        in_time as (
            partition by coin_id
            order by market_date
            rows between unbounded preceding and current row
        )
),

-- Weights grow as fast as coins change hands, so every 300 logarithms they start again;
-- of what was bought before that less than one in 10 to the 130th is left.
blocks as (
    select
        *,
        floor(-kept_log / 300) as block
    from kept
),

summed as (
    select
        *,
        sum(turnover_fraction * price_usd * exp(-300 * block - kept_log)) over (
            partition by coin_id, block
            order by market_date
            rows between unbounded preceding and current row
        ) as bought
    from blocks
),

block_ends as (
    select
        coin_id,
        block + 1 as block,
        kept_log as end_log,
        bought * exp(kept_log + 300 * block) as end_price_usd
    from summed
    qualify row_number() over (
        partition by coin_id, block order by market_date desc
    ) = 1
),

final as (
    select
        summed.market_date,
        summed.coin_id,
        summed.price_usd,
        case
            when summed.volume_days >= cut_offs.min_volume_days
                then
                    exp(summed.kept_log + 300 * summed.block) * summed.bought
                    + case
                        when summed.block = 0
                            then exp(summed.kept_log) * summed.first_price_usd
                        else
                            exp(summed.kept_log - block_ends.end_log)
                            * block_ends.end_price_usd
                    end
        end as reference_price_usd,
        summed.volume_days
    from summed
    cross join cut_offs
    left join block_ends
        on
            summed.coin_id = block_ends.coin_id
            and summed.block = block_ends.block
)

select * from final
