-- The store's time.   ARGV: clock   → {now_ms, raw_ms}
return {now_ms, raw_ms}
