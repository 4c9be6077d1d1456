"""The gate between a parsed frame and the raw store: rules, verdicts, quarantine."""
