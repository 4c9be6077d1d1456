-- Grain: one row per session_date and pair_id.
-- For how many sessions in a row small American companies have beaten large ones, and
-- since when there was no run as long. Strictly: a tie ends a run. Gaps and islands: an
-- island begins with each session that was not won.
with returns as (
    select * from signals.equity_pair_return_daily
),

-- Sessions in a row that are worth a note, and that are rare.
cut_offs as (
    select
        8 as notable_sessions,
        13 as historic_sessions
),

islands as (
    select
        *,
        count(*) filter (where not is_outperforming) over (
            partition by pair_id
            order by session_date
        ) as island
    from returns
),

streaks as (
    select
        *,
        count(*) filter (where is_outperforming) over so_far as streak_sessions,
        min(case when is_outperforming then return_difference_fraction end) over so_far
            as streak_min_margin_fraction
    from islands
    window so_far as (partition by pair_id, island order by session_date)
),

runs as (
    select
        pair_id,
        island,
        max(session_date) as run_end_date,
        max(streak_sessions) as run_sessions
    from streaks
    group by pair_id, island
),

earlier_runs as (
    select
        streaks.pair_id,
        streaks.session_date,
        max(runs.run_end_date) as streak_longest_since_date
    from streaks
    inner join runs
        on
            streaks.pair_id = runs.pair_id
            and streaks.island > runs.island
            and streaks.streak_sessions <= runs.run_sessions
    where streaks.is_outperforming
    group by streaks.pair_id, streaks.session_date
),

final as (
    select
        streaks.session_date,
        streaks.pair_id,
        streaks.numerator_ticker,
        streaks.denominator_ticker,
        streaks.is_proxy,
        streaks.numerator_return_fraction,
        streaks.denominator_return_fraction,
        streaks.return_difference_fraction,
        streaks.ratio,
        streaks.is_outperforming,
        streaks.streak_sessions,
        streaks.streak_min_margin_fraction,
        earlier_runs.streak_longest_since_date,
        case
            when streaks.numerator_return_fraction is null then 'insufficient'
            when streaks.streak_sessions >= cut_offs.historic_sessions then 'historic'
            when streaks.streak_sessions >= cut_offs.notable_sessions then 'notable'
            when streaks.is_outperforming then 'outperforming'
            else 'not_outperforming'
        end as state,
        streaks.history_start_date
    from streaks
    cross join cut_offs
    left join earlier_runs
        on
            streaks.pair_id = earlier_runs.pair_id
            and streaks.session_date = earlier_runs.session_date
)

select * from final
