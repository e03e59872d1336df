-- Remember what a provider offers, with the time; forgotten after a day without a reading.
-- KEYS: offers   ARGV: clock, rows JSON   → 1
redis.call('SET', KEYS[1], string.format('%.0f', now_ms) .. '\n' .. ARGV[2], 'PX', 86400000)
return 1
