-- Grain: one row per week, its last day, index_id and bucket.
-- Share of a segment's coins by how far they are below their high.
with buckets as (
    unpivot signals.drawdown_market_daily
    on
    down_0_20_fraction,
    down_20_50_fraction,
    down_50_80_fraction,
    down_80_90_fraction,
    down_90_100_fraction
    into name column_name value coin_fraction
),

final as (
    select
        market_date,
        index_id,
        case column_name
            when 'down_0_20_fraction' then '0-20 %'
            when 'down_20_50_fraction' then '20-50 %'
            when 'down_50_80_fraction' then '50-80 %'
            when 'down_80_90_fraction' then '80-90 %'
            when 'down_90_100_fraction' then '90-100 %'
        end as bucket,
        coin_fraction,
        median_drawdown_fraction,
        observed_count
    from buckets
    qualify
        market_date = max(market_date) over (
            partition by index_id, date_trunc('week', market_date)
        )
    order by market_date, index_id, bucket
)

select * from final
