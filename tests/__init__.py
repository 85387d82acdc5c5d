"""The whole system: real processes, a real browser, faults and crashes."""
