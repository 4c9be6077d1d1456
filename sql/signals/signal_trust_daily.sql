-- Grain: one row per market_date, signal_id and entity.
-- How far to trust each value of a daily signal. Confidence is coverage times freshness
-- of the stalest input it cannot do without, times history, times agreement of the
-- sources (0.9 with one source). Below 0.3 the value is withheld. It is insufficient
-- with fewer values so far than the definition's minimum, or where its own table says
-- so, and implausible of a frozen source. Without a value there is no confidence.
with signal_values as (
    select * from signals.signal_value_daily
),

inputs as (
    select * from signals.input_daily
),

repeats as (
    select * from signals.signal_repeat_daily
),

cut_offs as (
    select
        0.9 as single_source_agreement,
        0.3 as withhold_score
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

scored as (
    select
        signal_values.*,
        freshness.freshness_fraction,
        freshness.known_at,
        freshness.is_reconstructed,
        coalesce(repeats.is_frozen, false) as is_frozen,
        signal_values.is_sufficient
        and signal_values.value is not null
        and signal_values.state <> 'insufficient' as is_known,
        least(coalesce(signal_values.coverage_fraction, 0), 1)
        * freshness.freshness_fraction * signal_values.history_fraction
        * coalesce(signal_values.agreement_fraction, cut_offs.single_source_agreement)
            as trust_score
    from signal_values
    cross join cut_offs
    inner join freshness
        on
            signal_values.signal_id = freshness.signal_id
            and signal_values.market_date = freshness.market_date
    left join repeats
        on
            signal_values.market_date = repeats.market_date
            and signal_values.signal_id = repeats.signal_id
            and signal_values.entity = repeats.entity
),

judged as (
    select
        scored.*,
        case
            when scored.value is null and scored.state <> 'measured' then scored.state
            when not scored.is_known then 'insufficient'
            when scored.is_frozen then 'implausible'
            when scored.trust_score < cut_offs.withhold_score then 'withheld'
            else scored.state
        end as trusted_state,
        scored.is_known
        and not scored.is_frozen
        and scored.trust_score >= cut_offs.withhold_score as is_shown,
        case
            when scored.is_known and not scored.is_frozen
                then scored.trust_score
            else 0
        end as confidence_score
    from scored
    cross join cut_offs
),

final as (
    select
        market_date,
        signal_id,
        entity,
        case when is_shown then value end as value,
        unit,
        case when is_shown then percentile_pct end as percentile_pct,
        case when is_shown then robust_z end as robust_z,
        trusted_state as state,
        observation_count,
        coverage_fraction,
        freshness_fraction,
        confidence_score,
        is_reconstructed,
        known_at
    from judged
)

select * from final
