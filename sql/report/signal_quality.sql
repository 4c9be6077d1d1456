-- Grain: one row per signal_id, entity, target_id, horizon_days, sample and bucket.
-- What followed a signal from the close of the next day on, against all days.
select
    signal_id,
    entity,
    target_id,
    horizon_days,
    sample,
    bucket,
    observation_count,
    effective_count,
    difference_fraction,
    difference_low_fraction,
    difference_high_fraction,
    hac_t_value,
    rank_information,
    p_value,
    p_value_adjusted,
    verdict
from signals.signal_quality
where p_value is not null and state = 'testable'
order by p_value, signal_id, entity, target_id, horizon_days, sample, bucket
