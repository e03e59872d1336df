-- The store's time, for processes that follow the dev clock.   ARGV: clock   → now_ms
return now_ms
