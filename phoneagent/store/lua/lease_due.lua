-- Take rentals whose job is due, oldest first. The entry is put off by the lease, so that a dead worker's job comes back.
-- A rental under a lease, or with an earlier kind of job overdue, is put off and passed over.
-- KEYS: due set of this job, then the due sets of the job kinds that go before it
-- ARGV: clock, lease_ms, most, prefix of rental keys, 'raw' when this job runs on the raw clock
-- → {now_ms, how long until the next entry in ms (0: one is due, -1: there is none), {id, fence, flat fields}, …}
local clock = ARGV[5] == 'raw' and raw_ms or now_ms
local lease_ms, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local function goes_before(id)
  for i = 2, #KEYS do
    local at = redis.call('ZSCORE', KEYS[i], id)
    if at and tonumber(at) <= now_ms then return true end
  end
  return false
end
local taken = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', clock, 'LIMIT', 0, 4 * most)) do
  local key = ARGV[4] .. id
  local held = redis.call('HMGET', key, 'lease_until', 'lease_fence')
  if not held[2] then
    redis.call('ZREM', KEYS[1], id)
  elseif tonumber(held[1]) > raw_ms then
    redis.call('ZADD', KEYS[1], clock + math.min(tonumber(held[1]) - raw_ms, 1000), id)
  elseif goes_before(id) then
    redis.call('ZADD', KEYS[1], clock + 100, id)
  elseif #taken < most then
    redis.call('HSET', key, 'lease_until', raw_ms + lease_ms)
    local fence = redis.call('HINCRBY', key, 'lease_fence', 1)
    redis.call('ZADD', KEYS[1], clock + lease_ms, id)
    taken[#taken + 1] = {id, fence, redis.call('HGETALL', key)}
  end
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local wait = first[2] and math.max(0, math.ceil(tonumber(first[2]) - clock)) or -1
return {now_ms, wait, unpack(taken)}
