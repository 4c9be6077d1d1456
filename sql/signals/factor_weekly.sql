-- Grain: one row per week_end_date and spec.
-- What the market, small coins over big ones, and winners over losers returned in a
-- week, weighted by cap. The only spec is investable_top100: breakpoints and members
-- are those of the house top 100 at the end of the week before. No riskless rate is
-- taken off.
with coins as (
    select * from signals.factor_asset_weekly
),

cut_offs as (
    select 0.8 as min_observed_fraction
),

-- Each portfolio by name; a coin may be in several.
portfolios as (
    select listed.*
    from (
        values
        ('market', null, null, null),
        ('small', 'small', null, null),
        ('big', 'big', null, null),
        ('small_winner', null, 'small', 'winner'),
        ('small_loser', null, 'small', 'loser'),
        ('big_winner', null, 'big', 'winner'),
        ('big_loser', null, 'big', 'loser')
    ) as listed (portfolio, size_group, size_half, momentum_group)
),

-- Sums of decimals, which do not depend on their order.
weighted as (
    select
        coins.week_end_date,
        portfolios.portfolio,
        cast(
            sum(
                cast(
                    coins.market_cap_usd * coins.return_1w_fraction as decimal(38, 12)
                )
            ) as double
        )
        / nullif(
            cast(
                sum(cast(coins.market_cap_usd as decimal(38, 12))) filter (
                    where coins.return_1w_fraction is not null
                ) as double
            ),
            0
        ) as return_fraction
    from coins
    inner join portfolios
        on
            coalesce(portfolios.size_group, coins.size_group) = coins.size_group
            and coalesce(portfolios.size_half, coins.size_half) = coins.size_half
            and coalesce(portfolios.momentum_group, coins.momentum_group, '')
            = coalesce(coins.momentum_group, '')
    group by coins.week_end_date, portfolios.portfolio
),

returns as (
    select
        week_end_date,
        max(return_fraction) filter (where portfolio = 'market') as market_fraction,
        max(return_fraction) filter (where portfolio = 'small') as small_fraction,
        max(return_fraction) filter (where portfolio = 'big') as big_fraction,
        max(return_fraction) filter (where portfolio = 'small_winner')
            as small_winner_fraction,
        max(return_fraction) filter (where portfolio = 'small_loser')
            as small_loser_fraction,
        max(return_fraction) filter (where portfolio = 'big_winner')
            as big_winner_fraction,
        max(return_fraction) filter (where portfolio = 'big_loser')
            as big_loser_fraction
    from weighted
    group by week_end_date
),

counted as (
    select
        week_end_date,
        min(formation_date) as formation_date,
        count(*) as constituent_count,
        count(return_1w_fraction) as observed_count
    from coins
    group by week_end_date
),

-- A week with too few returns keeps its row, with nulls.
sufficient as (
    select returns.*
    from counted
    inner join returns on counted.week_end_date = returns.week_end_date
    cross join cut_offs
    where
        counted.observed_count
        >= cut_offs.min_observed_fraction * counted.constituent_count
),

final as (
    select
        counted.week_end_date,
        'investable_top100' as spec,
        counted.formation_date,
        sufficient.market_fraction as market_return_fraction,
        sufficient.small_fraction
        - sufficient.big_fraction as size_return_fraction,
        (sufficient.small_winner_fraction + sufficient.big_winner_fraction) / 2
        - (sufficient.small_loser_fraction + sufficient.big_loser_fraction)
        / 2 as momentum_return_fraction,
        counted.constituent_count,
        counted.observed_count,
        case
            when sufficient.market_fraction is null then 'insufficient'
            else 'measured'
        end as state
    from counted
    left join sufficient on counted.week_end_date = sufficient.week_end_date
)

select * from final
