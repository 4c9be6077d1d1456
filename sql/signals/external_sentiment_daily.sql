-- Grain: one row per market_date and source.
-- What others say of the market's mood, 0 for fear to 100 for greed, as they say it: an
-- input, not a score of ours. A day that a vendor left out carries the last score for
-- at most two days. The label is the vendor's own, because sites differ on its edges.
with scores as (
    select * from staging.sentiment_daily
    where score is not null and source <> 'cmc_altcoin_season'
),

cut_offs as (
    select
        2 as max_stale_days,
        365 as min_observations
),

last_day as (
    select max(market_date) as last_date from staging.market_calendar
),

spans as (
    select
        scores.*,
        lead(scores.market_date) over (
            partition by scores.source order by scores.market_date
        ) as next_date
    from scores
),

carried as (
    select
        spans.*,
        cast(
            unnest(
                generate_series(
                    spans.market_date,
                    least(
                        spans.market_date + cut_offs.max_stale_days,
                        coalesce(spans.next_date - 1, last_day.last_date)
                    ),
                    interval 1 day
                )
            ) as date
        ) as carried_date
    from spans
    cross join cut_offs
    cross join last_day
    where spans.market_date <= last_day.last_date
),

-- The widest disagreement of the vendors that day.
gaps as (
    select
        carried_date,
        case when count(*) > 1 then max(score) - min(score) end as source_gap_score
    from carried
    group by carried_date
),

final as (
    select
        carried.carried_date as market_date,
        carried.source,
        carried.score,
        carried.label,
        carried.carried_date - carried.market_date as stale_days,
        gaps.source_gap_score,
        case
            when count(*) over past >= cut_offs.min_observations
                then
                    100.0 * (rank(order by carried.score) over past - 1)
                    / (count(*) over past - 1)
        end as percentile_pct,
        count(*) over past as observation_count,
        case
            when carried.label is not null then lower(replace(carried.label, ' ', '_'))
            when carried.score < 25 then 'extreme_fear'
            when carried.score < 45 then 'fear'
            when carried.score <= 55 then 'neutral'
            when carried.score < 75 then 'greed'
            else 'extreme_greed'
        end as state,
        carried.is_reconstructed,
        carried.known_at
    from carried
    cross join cut_offs
    inner join gaps on carried.carried_date = gaps.carried_date
    window
        past as (
            partition by carried.source
            order by carried.carried_date
            range between interval 1459 days preceding and current row
        )
)

select * from final
