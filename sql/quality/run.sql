-- Grain: one row per run_id.
-- What each run was for, how it ended, and what it brought.
with runs as (
    select * from quality.run_record
),

loads as (
    select
        regexp_replace(run_id, '--since-.*$', '') as run_id,
        added_count,
        revised_count,
        unchanged_count,
        quarantined_count
    from quality.load_result
),

health as (
    select * from quality.source_health_run
),

loaded as (
    select
        run_id,
        cast(sum(added_count) as bigint) as added_count,
        cast(sum(revised_count) as bigint) as revised_count,
        cast(sum(unchanged_count) as bigint) as unchanged_count,
        cast(sum(quarantined_count) as bigint) as quarantined_count
    from loads
    group by run_id
),

feeds as (
    select
        run_id,
        feed,
        bool_or(status in ('answered', 'fell_back', 'replayed')) as is_served,
        bool_or(status in ('refused', 'unavailable')) as is_degraded
    from health
    group by run_id, feed
),

fed as (
    select
        run_id,
        count(*) as feed_count,
        count(*) filter (where is_served) as served_feed_count,
        string_agg(feed, ', ' order by feed)
        filter (where is_degraded) as degraded_feeds
    from feeds
    group by run_id
),

final as (
    select
        runs.run_id,
        runs.kind,
        runs.market_date,
        runs.started_at,
        runs.ended_at,
        runs.status,
        runs.failed_steps,
        runs.build_id,
        coalesce(fed.feed_count, 0) as feed_count,
        coalesce(fed.served_feed_count, 0) as served_feed_count,
        fed.degraded_feeds,
        coalesce(loaded.added_count, 0) as added_count,
        coalesce(loaded.revised_count, 0) as revised_count,
        coalesce(loaded.unchanged_count, 0) as unchanged_count,
        coalesce(loaded.quarantined_count, 0) as quarantined_count
    from runs
    left join fed on runs.run_id = fed.run_id
    left join loaded on runs.run_id = loaded.run_id
)

select * from final
