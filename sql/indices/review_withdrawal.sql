-- Grain: one row per profile, effective_date and coin_id.
-- Candidates that met a trigger of deletion after the cut-off, at the latest at the
-- close of the weighting date. They do not take their seat. Only what was known when
-- the weights were settled counts, so that a price which came later moves no seat.
with review_calendar as (
    select * from indices.review_calendar
),

candidates as (
    select * from indices.review_candidate
    where is_eligible_if_sitting
),

observations as (
    select * from staging.market_observation
    where price_usd > 0
),

successors as (
    select * from staging.coin_successor
),

-- Profiles with the same dates and triggers look at the same prices.
spans as (
    select distinct
        cutoff_date,
        weighting_date,
        weighting_known_by,
        cutoff_date - input_max_age_days + 1 as first_date,
        collapse_fraction,
        stale_remove_days,
        stale_remove_days_reconstructed
    from review_calendar
),

numbered_spans as (
    select
        *,
        row_number() over (
            order by
                weighting_date,
                cutoff_date,
                first_date,
                weighting_known_by,
                collapse_fraction,
                stale_remove_days,
                stale_remove_days_reconstructed
        ) as span_number
    from spans
),

span_days as (
    select
        span_number,
        weighting_known_by,
        cast(
            unnest(generate_series(first_date, weighting_date, interval 1 day)) as date
        ) as market_date
    from numbered_spans
),

offered as (
    select
        span_days.span_number,
        observations.coin_id,
        observations.market_date,
        observations.price_usd,
        observations.is_reconstructed
    from span_days
    inner join observations on span_days.market_date = observations.market_date
    where
        observations.known_from <= span_days.weighting_known_by
        and (
            observations.known_to is null
            or observations.known_to > span_days.weighting_known_by
        )
),

-- The median over the sources of a day, as in indices.review_input_daily.
priced as (
    select
        span_number,
        coin_id,
        market_date,
        median(price_usd) as price_usd,
        bool_and(is_reconstructed) as is_reconstructed
    from offered
    group by span_number, coin_id, market_date
),

seen as (
    select
        span_number,
        market_date,
        count(*) as coin_count
    from priced
    group by span_number, market_date
),

counted as (
    select
        span_days.span_number,
        span_days.market_date,
        coalesce(seen.coin_count, 0) as coin_count,
        max(seen.coin_count) over (
            partition by span_days.span_number
            order by span_days.market_date
            rows between 7 preceding and 1 preceding
        ) as best_coin_count
    from span_days
    left join seen
        on
            span_days.span_number = seen.span_number
            and span_days.market_date = seen.market_date
),

nights as (
    select
        span_number,
        market_date,
        count(*) filter (
            where coin_count > 0 and coin_count * 2 >= coalesce(best_coin_count, 0)
        ) over (
            partition by span_number
            order by market_date
            rows between unbounded preceding and current row
        ) as market_night_number
    from counted
),

-- Most coins need no second look: seen on every day that a trigger could rest on, and
-- never so far below their best.
dull as (
    select
        priced.span_number,
        priced.coin_id
    from priced
    inner join numbered_spans on priced.span_number = numbered_spans.span_number
    where priced.coin_id not in (select successors.coin_id from successors)
    group by
        priced.span_number,
        priced.coin_id,
        numbered_spans.cutoff_date,
        numbered_spans.weighting_date,
        numbered_spans.collapse_fraction,
        numbered_spans.stale_remove_days
    having
        min(priced.price_usd)
        >= numbered_spans.collapse_fraction * max(priced.price_usd)
        and count(*) filter (
            where
            priced.market_date
            > numbered_spans.cutoff_date - numbered_spans.stale_remove_days
        )
        = numbered_spans.weighting_date
        - numbered_spans.cutoff_date
        + numbered_spans.stale_remove_days
),

watched as (
    select distinct
        numbered_spans.span_number,
        candidates.coin_id
    from candidates
    inner join review_calendar
        on
            candidates.profile = review_calendar.profile
            and candidates.effective_date = review_calendar.effective_date
    inner join numbered_spans
        on
            review_calendar.weighting_date = numbered_spans.weighting_date
            and review_calendar.cutoff_date = numbered_spans.cutoff_date
    left join dull
        on
            numbered_spans.span_number = dull.span_number
            and candidates.coin_id = dull.coin_id
    where dull.coin_id is null
),

-- The coin itself, and every later form of it with its conversion.
forms as (
    select
        coin_id,
        coin_id as priced_coin_id,
        cast(1 as double) as units_per_coin,
        date '0001-01-01' as link_date,
        0 as link_count
    from (select distinct coin_id from watched) as coins
    union all
    select
        coin_id,
        successor_coin_id as priced_coin_id,
        units_per_coin,
        effective_date as link_date,
        link_count
    from successors
),

positions as (
    select
        watched.span_number,
        watched.coin_id,
        priced.market_date,
        priced.price_usd * forms.units_per_coin as price_usd,
        priced.is_reconstructed
    from watched
    inner join forms on watched.coin_id = forms.coin_id
    inner join priced
        on
            watched.span_number = priced.span_number
            and forms.priced_coin_id = priced.coin_id
            and forms.link_date <= priced.market_date
    -- The last form wins where two of them trade on one day.
    qualify row_number() over (
        partition by watched.span_number, watched.coin_id, priced.market_date
        order by forms.link_count desc, forms.priced_coin_id asc
    ) = 1
),

-- A cheap bound first: the median is asked for only where the highest price of the 30
-- days before leaves a collapse possible.
bounded as (
    select
        positions.*,
        numbered_spans.cutoff_date,
        numbered_spans.weighting_date,
        numbered_spans.collapse_fraction,
        numbered_spans.stale_remove_days,
        numbered_spans.stale_remove_days_reconstructed,
        lead(positions.market_date) over (
            partition by positions.span_number, positions.coin_id
            order by positions.market_date
        ) as next_date,
        positions.price_usd < numbered_spans.collapse_fraction
        * max(positions.price_usd) over (
            partition by positions.span_number, positions.coin_id
            order by positions.market_date
            range between interval 30 days preceding and interval 1 day preceding
        ) as is_suspect
    from positions
    inner join numbered_spans on positions.span_number = numbered_spans.span_number
),

collapses as (
    select
        bounded.span_number,
        bounded.coin_id,
        bounded.market_date,
        bounded.price_usd < bounded.collapse_fraction * median(earlier.price_usd)
            as is_collapsed
    from bounded
    inner join positions as earlier
        on
            bounded.span_number = earlier.span_number
            and bounded.coin_id = earlier.coin_id
            and earlier.market_date
            between bounded.market_date - 30 and bounded.market_date - 1
    where bounded.is_suspect
    group by
        bounded.span_number,
        bounded.coin_id,
        bounded.market_date,
        bounded.price_usd,
        bounded.collapse_fraction
),

marked as (
    select
        bounded.*,
        coalesce(collapses.is_collapsed, false) as is_collapsed,
        coalesce(
            lag(collapses.is_collapsed) over (
                partition by bounded.span_number, bounded.coin_id
                order by bounded.market_date
            ),
            false
        ) as was_collapsed,
        coalesce(bounded.next_date - 1, bounded.weighting_date)
            as last_carried_date
    from bounded
    left join collapses
        on
            bounded.span_number = collapses.span_number
            and bounded.coin_id = collapses.coin_id
            and bounded.market_date = collapses.market_date
),

-- Nights missed only ever grow until the next price: the last day before it decides.
judged as (
    select
        marked.*,
        last_night.market_night_number - observed_night.market_night_number
            as missed_night_count
    from marked
    inner join nights as observed_night
        on
            marked.span_number = observed_night.span_number
            and marked.market_date = observed_night.market_date
    inner join nights as last_night
        on
            marked.span_number = last_night.span_number
            and marked.last_carried_date = last_night.market_date
    where
        marked.last_carried_date > marked.cutoff_date
        or marked.last_carried_date = marked.weighting_date
),

triggered as (
    select
        span_number,
        coin_id,
        market_date as last_observed_date,
        price_usd as last_price_usd,
        case
            when
                is_collapsed
                and was_collapsed
                and (market_date > cutoff_date or market_date = weighting_date)
                then 'collapsed'
            when is_collapsed and missed_night_count > stale_remove_days
                then 'collapsed and no longer priced'
            when
                missed_night_count > case
                    when is_reconstructed then stale_remove_days_reconstructed
                    else stale_remove_days
                end
                then 'no longer priced'
        end as reason
    from judged
),

final as (
    select
        candidates.profile,
        candidates.effective_date,
        candidates.coin_id,
        triggered.reason,
        triggered.last_observed_date,
        triggered.last_price_usd
    from candidates
    inner join review_calendar
        on
            candidates.profile = review_calendar.profile
            and candidates.effective_date = review_calendar.effective_date
    inner join numbered_spans
        on
            review_calendar.cutoff_date = numbered_spans.cutoff_date
            and review_calendar.weighting_date = numbered_spans.weighting_date
            and review_calendar.weighting_known_by = numbered_spans.weighting_known_by
            and review_calendar.cutoff_date - review_calendar.input_max_age_days + 1
            = numbered_spans.first_date
            and review_calendar.collapse_fraction = numbered_spans.collapse_fraction
            and review_calendar.stale_remove_days = numbered_spans.stale_remove_days
            and review_calendar.stale_remove_days_reconstructed
            = numbered_spans.stale_remove_days_reconstructed
    inner join triggered
        on
            numbered_spans.span_number = triggered.span_number
            and candidates.coin_id = triggered.coin_id
    where triggered.reason is not null
    qualify row_number() over (
        partition by candidates.profile, candidates.effective_date, candidates.coin_id
        order by triggered.last_observed_date
    ) = 1
)

select * from final
