-- Grain: one row.
-- Standard deviation of the daily returns of small companies over that of large ones,
-- in the year to the article.
with readings as (
    select * from signals.equity_pair_daily
    where
        pair_id = 'rut_over_spx'
        and session_date between date '2025-01-16' and date '2026-01-16'
        and numerator_return_fraction is not null
        and denominator_return_fraction is not null
),

final as (
    select
        stddev_samp(numerator_return_fraction)
        / nullif(stddev_samp(denominator_return_fraction), 0) as actual_value,
        count(*) as input_count,
        min(session_date) as first_input_date,
        max(session_date) as last_input_date,
        true as is_supported,
        cast(null as varchar) as caveat,
        printf(
            'Daily %.2f %% against %.2f %% over %d sessions',
            100 * stddev_samp(numerator_return_fraction),
            100 * stddev_samp(denominator_return_fraction),
            count(*)
        ) as evidence
    from readings
)

select * from final
