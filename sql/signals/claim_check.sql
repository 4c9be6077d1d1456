-- Grain: one row per claim_id.
-- What became of every claim, by the newest day of the market. Before its day it is
-- pending; without a single observation free data cannot tell. A claim is met where the
-- figure lies within its tolerance; from the margin beyond that on it is refuted.
with claims as (
    select * from reference.claim
),

findings as (
    select * from signals.claim_evidence
),

market as (
    select max(market_date) as evaluated_for_date
    from staging.market_calendar
),

cut_offs as (
    select 0.8 as full_coverage_fraction
),

rows_found as (
    select
        claim_id,
        count(*) as row_count
    from findings
    group by claim_id
),

-- A row without a select, a select without a row, or two rows: stop, and say which.
pairs as (
    select
        coalesce(claims.claim_id, rows_found.claim_id) as claim_id,
        case
            when claims.claim_id is null
                then error(
                    rows_found.claim_id || '.sql answers no claim of claim.csv'
                )
            when rows_found.claim_id is null
                then error('claim ' || claims.claim_id || ' has no select')
            when rows_found.row_count > 1
                then error(
                    claims.claim_id || '.sql gives more than one row'
                )
            else true
        end as is_paired
    from claims
    full outer join rows_found on claims.claim_id = rows_found.claim_id
),

bounds as (
    select
        claim_id,
        case when comparison in ('within', 'at_least') then expected - tolerance end
            as lowest_value,
        case when comparison in ('within', 'at_most') then expected + tolerance end
            as highest_value
    from claims
),

measured as (
    select
        claims.*,
        market.evaluated_for_date,
        case when findings.input_count > 0 then findings.actual_value end
            as actual_value,
        findings.input_count,
        case when findings.input_count > 0 then findings.first_input_date end
            as first_input_date,
        case when findings.input_count > 0 then findings.last_input_date end
            as last_input_date,
        least(findings.input_count / nullif(claims.needed_input_count, 0), 1)
            as input_coverage_fraction,
        coalesce(findings.is_supported, false) as is_supported,
        nullif(
            concat_ws(
                '. ',
                findings.caveat,
                case
                    when
                        findings.input_count
                        < cut_offs.full_coverage_fraction * claims.needed_input_count
                        then
                            printf(
                                '%d of the %d observations that it takes',
                                findings.input_count,
                                claims.needed_input_count
                            )
                end
            ),
            ''
        ) as caveat,
        findings.evidence,
        greatest(
            bounds.lowest_value - findings.actual_value,
            findings.actual_value - bounds.highest_value,
            0
        ) as shortfall
    from claims
    inner join pairs on claims.claim_id = pairs.claim_id and pairs.is_paired
    inner join findings on claims.claim_id = findings.claim_id
    inner join bounds on claims.claim_id = bounds.claim_id
    cross join market
    cross join cut_offs
),

judged as (
    select
        measured.*,
        case
            when
                coalesce(measured.evaluated_for_date < measured.resolves_on, true)
                then 'pending'
            when measured.input_count = 0 then 'unverifiable_with_free_data'
            when measured.actual_value is null then 'not_confirmed'
            when
                measured.shortfall > 0
                and measured.shortfall > measured.refutation_margin
                then 'refuted'
            when measured.shortfall > 0 or not measured.is_supported
                then 'not_confirmed'
            when measured.caveat is not null then 'confirmed_with_caveat'
            else 'confirmed'
        end as verdict
    from measured
),

final as (
    select
        claim_id,
        claim_date,
        kind,
        wording,
        reading,
        verdict,
        actual_value,
        comparison,
        expected,
        tolerance,
        refutation_margin,
        unit,
        is_supported,
        case when input_count > 0 then evidence end as evidence,
        case when input_count > 0 then caveat end as caveat,
        needs as evidence_tables,
        input_count,
        needed_input_count,
        input_coverage_fraction,
        first_input_date,
        last_input_date,
        resolves_on,
        evaluated_for_date,
        source
    from judged
)

select * from final
