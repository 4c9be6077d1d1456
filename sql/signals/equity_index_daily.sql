-- Grain: one row per session_date and ticker.
-- Record closes of an equity index, how long since the last one, and the year so far.
-- A record is above every close before it in our history, which begins on
-- history_start_date; the first close is none.
with closes as (
    select * from staging.equity_close_daily
    where ticker_kind in ('index', 'proxy')
),

base_values as (
    select * from reference.equity_base_value
),

-- Cut-offs: sessions without a record before a breakout, sessions of history that a
-- record needs to mean anything.
cut_offs as (
    select
        63 as breakout_sessions,
        252 as min_history_sessions
),

-- A year's base is its last close, if that fell in the last week of the year.
year_bases as (
    select
        ticker,
        year(session_date) + 1 as base_year,
        arg_max(close_points, session_date) as base_points
    from closes
    group by ticker, year(session_date)
    having max(session_date) >= make_date(year(session_date), 12, 24)
),

numbered as (
    select
        *,
        row_number() over so_far as session_number,
        lag(close_points) over so_far as previous_points,
        max(close_points) over (
            partition by ticker
            order by session_date
            rows between unbounded preceding and 1 preceding
        ) as record_before_points
    from closes
    window so_far as (partition by ticker order by session_date)
),

flagged as (
    select
        *,
        coalesce(close_points > record_before_points, false) as is_record_close,
        greatest(close_points, coalesce(record_before_points, 0)) as record_points,
        min(session_date) over (partition by ticker) as history_start_date
    from numbered
),

-- The first close of the history is what the first record is measured from.
spaced as (
    select
        *,
        session_number - 1 - max(
            case when is_record_close or session_number = 1 then session_number end
        ) over (
            partition by ticker
            order by session_date
            rows between unbounded preceding and 1 preceding
        ) as sessions_without_record,
        count(*) filter (where is_record_close) over (
            partition by ticker, year(session_date)
            order by session_date
        ) as record_ytd_count
    from flagged
),

final as (
    select
        spaced.session_date,
        spaced.ticker,
        spaced.ticker_kind = 'proxy' as is_proxy,
        spaced.close_points,
        spaced.close_points / spaced.previous_points - 1 as return_1d_fraction,
        spaced.close_points / year_bases.base_points - 1 as return_ytd_fraction,
        spaced.is_record_close,
        spaced.is_record_close
        and spaced.sessions_without_record >= cut_offs.breakout_sessions as is_breakout,
        spaced.sessions_without_record,
        spaced.record_ytd_count,
        spaced.close_points
        / spaced.record_points - 1 as distance_from_record_fraction,
        base_values.base_value_usd
        * (spaced.close_points / year_bases.base_points - 1)
            as estimated_added_value_usd,
        case
            when spaced.session_number < cut_offs.min_history_sessions
                then 'insufficient'
            when
                spaced.is_record_close
                and spaced.sessions_without_record >= cut_offs.breakout_sessions
                then 'breakout'
            when spaced.is_record_close then 'record'
            else 'below_record'
        end as state,
        spaced.history_start_date,
        spaced.source,
        spaced.is_reconstructed
    from spaced
    cross join cut_offs
    left join year_bases
        on
            spaced.ticker = year_bases.ticker
            and year(spaced.session_date) = year_bases.base_year
    left join base_values
        on
            spaced.ticker = base_values.ticker
            and year(spaced.session_date) = base_values.base_year
)

select * from final
