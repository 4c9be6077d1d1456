-- Grain: one row.
-- Newey-West t of the daily spread of small over large since January 2024 less that
-- before, and where a break with no date given would lie.
with regimes as (
    select * from signals.regime_statistic
    where
        pair_id = 'small_over_large'
        and regime = 'post_etp'
        and as_of_date <= date '2025-11-17'
),

breaks as (
    select * from signals.regime_break
    where pair_id = 'small_over_large' and as_of_date <= date '2025-11-17'
),

likeliest as (
    select
        max_by(break_date, as_of_date) as break_date,
        max_by(distance_days, as_of_date) as distance_days,
        max_by(p_value, as_of_date) as p_value
    from breaks
),

final as (
    select
        max_by(regimes.difference_hac_t_value, regimes.as_of_date) as actual_value,
        count(regimes.difference_hac_t_value) as input_count,
        min(regimes.as_of_date) as first_input_date,
        max(regimes.as_of_date) as last_input_date,
        coalesce(
            abs(max(likeliest.distance_days)) <= 90 and max(likeliest.p_value) < 0.05,
            false
        ) as is_supported,
        'After the products is not because of them' as caveat,
        printf(
            't of the change %.2f; likeliest break on %s (p %.3f)',
            max_by(regimes.difference_hac_t_value, regimes.as_of_date),
            cast(max(likeliest.break_date) as varchar),
            max(likeliest.p_value)
        ) as evidence
    from regimes
    cross join likeliest
)

select * from final
