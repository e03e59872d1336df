-- Take rentals whose job is due, oldest first, or first those whose authorization ends first. The entry is put off by
-- the lease, so that a dead worker's job comes back.
-- A rental under a lease, or with an earlier kind of job overdue, is put off and passed over.
-- KEYS: due set of this job, then the due sets of the job kinds that go before it
-- ARGV: clock, lease_ms, most, prefix of rental keys, 'raw' when this job runs on the raw clock,
--       how many of the longest due are put in order by their deadline (0: none, by due time alone)
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
-- Sorted only when there are more than can be taken: in calm weather all are, and their order says nothing.
local function nearest_deadline_first(ids)
  if #ids <= most then return ids end
  local ends = {}
  for _, id in ipairs(ids) do
    ends[id] = tonumber(redis.call('HGET', ARGV[4] .. id, 'pay_valid_before') or '0')
  end
  table.sort(ids, function(one, other)
    if ends[one] ~= ends[other] then return ends[one] < ends[other] end
    return one < other
  end)
  return ids
end
local function wait_ms()
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return first[2] and math.max(0, math.ceil(tonumber(first[2]) - clock)) or -1
end
local idle_for = wait_ms()
if idle_for ~= 0 or most == 0 then return {now_ms, idle_for} end
local by_deadline, taken = tonumber(ARGV[6]), {}
local looked_at = math.max(4 * most, by_deadline)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', clock, 'LIMIT', 0, looked_at)
if by_deadline > 0 then due = nearest_deadline_first(due) end
for _, id in ipairs(due) do
  local key = ARGV[4] .. id
  local held = redis.call('HMGET', key, 'lease_until', 'lease_fence')
  if not held[2] then
    redis.call('ZREM', KEYS[1], id)
  elseif tonumber(held[1]) > raw_ms then
    redis.call('ZADD', KEYS[1], clock + math.min(tonumber(held[1]) - raw_ms, 1000), id)
  elseif goes_before(id) then
    redis.call('ZADD', KEYS[1], clock + 100, id)
  elseif #taken >= most then
    break
  else
    redis.call('HSET', key, 'lease_until', raw_ms + lease_ms)
    local fence = redis.call('HINCRBY', key, 'lease_fence', 1)
    redis.call('ZADD', KEYS[1], clock + lease_ms, id)
    taken[#taken + 1] = {id, fence, redis.call('HGETALL', key)}
  end
end
return {now_ms, wait_ms(), unpack(taken)}
