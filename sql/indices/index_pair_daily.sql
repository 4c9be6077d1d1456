-- Grain: one row per market_date, profile and pair_id.
-- One index over another, both as levels: small over large is the size ratio, which
-- rises when small coins beat large ones.
with levels as (
    select * from indices.index_level_daily
),

ratios as (
    select
        numerator.market_date,
        numerator.profile,
        numerator.index_id || '_over_' || denominator.index_id as pair_id,
        numerator.index_id as numerator_index_id,
        denominator.index_id as denominator_index_id,
        numerator.level / nullif(denominator.level, 0) as ratio
    from levels as numerator
    inner join levels as denominator
        on
            numerator.market_date = denominator.market_date
            and numerator.profile = denominator.profile
            and (numerator.index_id, denominator.index_id) in (
                ('small', 'large'),
                ('mid', 'large'),
                ('small_equal', 'large'),
                ('small', 'large_ex_btc')
            )
),

-- Share of the days so far on which the ratio was not higher than today.
percentiles as (
    select
        ratios.market_date,
        ratios.profile,
        ratios.pair_id,
        100.0 * count(*) filter (where earlier.ratio <= ratios.ratio) / count(*)
            as percentile_since_base_pct
    from ratios
    inner join ratios as earlier
        on
            ratios.profile = earlier.profile
            and ratios.pair_id = earlier.pair_id
            and ratios.market_date >= earlier.market_date
    group by ratios.market_date, ratios.profile, ratios.pair_id
),

final as (
    select
        ratios.market_date,
        ratios.profile,
        ratios.pair_id,
        ratios.numerator_index_id,
        ratios.denominator_index_id,
        ratios.ratio,
        percentiles.percentile_since_base_pct
    from ratios
    inner join percentiles
        on
            ratios.market_date = percentiles.market_date
            and ratios.profile = percentiles.profile
            and ratios.pair_id = percentiles.pair_id
)

select * from final
