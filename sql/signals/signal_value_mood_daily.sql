-- Grain: one row per market_date, signal_id and entity.
-- Signals of mood: the altcoin season, what others say, and our composite. Two vendors
-- of fear and greed that are 20 points apart agree on nothing. A score that is carried
-- covers its day the less the older it is, as another vendor's may be fresh.
with inputs as (
    select * from reference.signal_input
    where input_id = 'sentiment'
),

cut_offs as (
    select 20 as max_gap_score
),

final as (
    select
        market_date,
        'S29' as signal_id,
        variant_id as entity,
        altcoin_season_score as value,
        state,
        coverage_fraction,
        cast(null as double) as agreement_fraction
    from signals.altcoin_season_daily
    union all
    select
        moods.market_date,
        'S30' as signal_id,
        moods.source as entity,
        moods.score as value,
        moods.state,
        greatest(1 - moods.stale_days / inputs.ttl_days, 0) as coverage_fraction,
        case
            when moods.source_gap_score is not null
                then greatest(1 - moods.source_gap_score / cut_offs.max_gap_score, 0)
        end as agreement_fraction
    from signals.external_sentiment_daily as moods
    cross join inputs
    cross join cut_offs
    union all
    select
        market_date,
        'S31' as signal_id,
        'market' as entity,
        composite_score as value,
        state,
        weight_available_fraction as coverage_fraction,
        cast(null as double) as agreement_fraction
    from signals.sentiment_composite_daily
)

select * from final
