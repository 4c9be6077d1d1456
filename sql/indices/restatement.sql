-- Grain: one row per market_date, profile and index_id.
-- Levels that we would say differently today than on the night they were published, by
-- how much, and why. What was published is never taken back.
with levels as (
    select * from indices.index_level_daily
),

published as (
    select * from ledger.index_level_daily
),

observations as (
    select * from staging.market_observation
),

different as (
    select
        levels.market_date,
        levels.profile,
        levels.index_id,
        levels.level_as_published,
        levels.level as level_as_restated,
        published.published_at,
        published.rulebook_version as rulebook_version_as_published,
        levels.rulebook_version
    from levels
    inner join published
        on
            levels.market_date = published.market_date
            and levels.profile = published.profile
            and levels.index_id = published.index_id
    where abs(levels.level / published.level - 1) > 1e-9
),

-- Does anything that we learned after a publication describe a day up to it? A live row
-- is known from when it came; history counts as of its day, so it shows by its run.
late_inputs as (
    select
        market_date,
        max(known_from) as latest_known_from
    from observations
    where not is_reconstructed
    group by market_date
),

latest_so_far as (
    select
        market_date,
        max(latest_known_from) over (
            order by market_date
            rows between unbounded preceding and current row
        ) as latest_known_from
    from late_inputs
),

final as (
    select
        different.market_date,
        different.profile,
        different.index_id,
        different.level_as_published,
        different.level_as_restated,
        different.level_as_restated / different.level_as_published - 1
            as difference_fraction,
        case
            when different.rulebook_version_as_published <> different.rulebook_version
                then 'rulebook'
            when latest_so_far.latest_known_from > different.published_at
                then 'late or revised input'
            else 'history, reference table or calculation'
        end as cause,
        different.published_at
    from different
    left join latest_so_far on different.market_date = latest_so_far.market_date
)

select * from final
