-- Grain: one row per market_date, signal_id and entity.
-- Every daily signal with how far to trust it. Confidence is coverage times freshness
-- of the stalest input it cannot do without, times history, times agreement of the
-- sources (0.9 with one source). Below 0.3 the value is withheld; a signal without a
-- value has no confidence. Days before the market's own history are in the wide tables
-- only.
with signal_values as (
    select * from signals.signal_value_daily
),

inputs as (
    select * from signals.input_daily
),

cut_offs as (
    select
        0.9 as single_source_agreement,
        0.3 as withhold_score,
        0.5 as medium_score,
        0.8 as high_score
),

requirements as (
    select
        signal_id,
        unnest(string_split(required_inputs, ';')) as input_id
    from reference.signal_definition
),

freshness as (
    select
        requirements.signal_id,
        inputs.market_date,
        min(inputs.freshness_fraction) as freshness_fraction,
        max(inputs.known_at) as known_at,
        bool_or(inputs.is_reconstructed) as is_reconstructed
    from requirements
    inner join inputs on requirements.input_id = inputs.input_id
    group by requirements.signal_id, inputs.market_date
),

trusted as (
    select
        signal_values.*,
        freshness.freshness_fraction,
        freshness.known_at,
        freshness.is_reconstructed,
        case
            when signal_values.value is null then 0
            else
                least(coalesce(signal_values.coverage_fraction, 0), 1)
                * freshness.freshness_fraction * signal_values.history_fraction
                * coalesce(
                    signal_values.agreement_fraction, cut_offs.single_source_agreement
                )
        end as confidence_score
    from signal_values
    cross join cut_offs
    inner join freshness
        on
            signal_values.signal_id = freshness.signal_id
            and signal_values.market_date = freshness.market_date
),

final as (
    select
        trusted.market_date,
        trusted.signal_id,
        trusted.entity,
        case
            when trusted.confidence_score >= cut_offs.withhold_score then trusted.value
        end as value,
        trusted.unit,
        case
            when trusted.confidence_score >= cut_offs.withhold_score
                then trusted.percentile_pct
        end as percentile_pct,
        case
            when trusted.confidence_score >= cut_offs.withhold_score
                then trusted.robust_z
        end as robust_z,
        case
            when trusted.value is null and trusted.state = 'measured'
                then 'insufficient'
            when trusted.value is null then trusted.state
            when trusted.confidence_score < cut_offs.withhold_score then 'withheld'
            else trusted.state
        end as state,
        trusted.observation_count,
        trusted.coverage_fraction,
        trusted.freshness_fraction,
        trusted.confidence_score,
        case
            when trusted.confidence_score >= cut_offs.high_score then 'high'
            when trusted.confidence_score >= cut_offs.medium_score then 'medium'
            when trusted.confidence_score >= cut_offs.withhold_score then 'low'
            else 'none'
        end as confidence_label,
        trusted.is_reconstructed,
        trusted.known_at
    from trusted
    cross join cut_offs
)

select * from final
