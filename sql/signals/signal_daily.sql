-- Grain: one row per market_date, signal_id and entity.
-- Every daily signal with how far to trust it. Confidence is coverage times freshness
-- of the stalest input it cannot do without, times history, times agreement of the
-- sources (0.9 with one source). Below 0.3 the value is withheld; a series that is too
-- good to be true is withheld as a whole. Days before the market's own history are in
-- the wide tables only.
with trusted as (
    select * from signals.signal_trust_daily
),

blocks as (
    select * from signals.signal_block
    where reason = 'too_good'
),

cut_offs as (
    select
        0.3 as low_score,
        0.5 as medium_score,
        0.8 as high_score
),

judged as (
    select
        trusted.*,
        blocks.signal_id is not null and trusted.value is not null as is_blocked,
        case
            when blocks.signal_id is null or trusted.value is null
                then trusted.confidence_score
            else 0
        end as shown_score
    from trusted
    left join blocks
        on
            trusted.signal_id = blocks.signal_id
            and trusted.entity = blocks.entity
),

final as (
    select
        judged.market_date,
        judged.signal_id,
        judged.entity,
        case when not judged.is_blocked then judged.value end as value,
        judged.unit,
        case when not judged.is_blocked then judged.percentile_pct end
            as percentile_pct,
        case when not judged.is_blocked then judged.robust_z end as robust_z,
        case when judged.is_blocked then 'implausible' else judged.state end as state,
        judged.observation_count,
        judged.coverage_fraction,
        judged.freshness_fraction,
        judged.shown_score as confidence_score,
        case
            when judged.shown_score >= cut_offs.high_score then 'high'
            when judged.shown_score >= cut_offs.medium_score then 'medium'
            when judged.shown_score >= cut_offs.low_score then 'low'
            else 'none'
        end as confidence_label,
        judged.is_reconstructed,
        judged.known_at
    from judged
    cross join cut_offs
)

select * from final
