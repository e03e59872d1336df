-- Take rentals whose status question is due, of each provider as many as are wanted, those that matter most first.
-- Where one call answers many, those that are due soon come along. A rental under a lease is put off and passed over.
-- KEYS: due set of polls
-- ARGV: clock, lease_ms, prefix of rental keys, for how many ms a number is young, how many were picked before, how many
--       of the longest due are looked at, then of each provider its name, how many, and ahead by how many ms; the name
--       '*' stands for all others
-- → {now_ms, how long until the next entry in ms (0: one is due, -1: there is none), entries, {id, fence, flat fields}, …}
local lease_ms, young_ms, picked, most_looks = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local rooms, farthest = {}, 0
for i = 7, #ARGV, 3 do
  rooms[ARGV[i]] = {left = tonumber(ARGV[i + 1]), ahead = tonumber(ARGV[i + 2]), is_due = false}
  farthest = math.max(farthest, tonumber(ARGV[i + 2]))
end
local function wait_ms()
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return first[2] and math.max(0, math.ceil(tonumber(first[2]) - now_ms)) or -1
end
local function rank(expires_at, bought_at, attended_until, is_hinted)
  if expires_at <= now_ms then return 0 end
  local is_young, is_attended = now_ms - bought_at < young_ms, attended_until > now_ms
  if is_hinted then return 1 end
  if is_young and is_attended then return 2 end
  return (is_young or is_attended) and 3 or 4
end
local idle_for = wait_ms()
if idle_for ~= 0 then return {now_ms, idle_for, redis.call('ZCARD', KEYS[1])} end
local found = {}
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms + farthest, 'WITHSCORES', 'LIMIT', 0, most_looks)
for i = 1, #ids, 2 do
  local id, at = ids[i], tonumber(ids[i + 1])
  local is = redis.call('HMGET', ARGV[3] .. id, 'lease_until', 'lease_fence', 'order_provider', 'expires_at_ms',
    'order_bought_at_ms', 'attended_until_ms', 'is_hinted')
  local room = rooms[is[3] or '*'] or rooms['*']
  if not is[2] then
    redis.call('ZREM', KEYS[1], id)
  elseif tonumber(is[1]) > raw_ms then
    if at <= now_ms then redis.call('ZADD', KEYS[1], now_ms + math.min(tonumber(is[1]) - raw_ms, 1000), id) end
  elseif at <= now_ms + room.ahead then
    if at <= now_ms then room.is_due = true end
    local first = rank(tonumber(is[4] or 'inf') or math.huge, tonumber(is[5] or '0'), tonumber(is[6] or '0'), is[7])
    found[#found + 1] = {id = id, at = at, rank = first, room = room}
  end
end
local by_age, by_rank, taken = {}, {}, {}
for i, one in ipairs(found) do by_age[i], by_rank[i] = one, one end
table.sort(by_age, function(a, b) if a.at ~= b.at then return a.at < b.at end return a.id < b.id end)
table.sort(by_rank, function(a, b)
  if a.rank ~= b.rank then return a.rank < b.rank end
  if a.at ~= b.at then return a.at < b.at end
  return a.id < b.id
end)
local function take(one)
  local key = ARGV[3] .. one.id
  one.room.left = one.room.left - 1
  one.is_taken = true
  redis.call('HDEL', key, 'is_hinted')
  redis.call('HSET', key, 'lease_until', raw_ms + lease_ms)
  local fence = redis.call('HINCRBY', key, 'lease_fence', 1)
  redis.call('ZADD', KEYS[1], now_ms + lease_ms, one.id)
  taken[#taken + 1] = {one.id, fence, redis.call('HGETALL', key)}
end
local function next_of(list, from)
  while list[from] do
    local one = list[from]
    if not one.is_taken and one.room.is_due and one.room.left > 0 then return from end
    from = from + 1
  end
end
-- Every fourth goes to the one that has waited longest: nobody starves behind those that matter more.
local oldest, foremost = 1, 1
while true do
  picked = picked + 1
  local list = picked % 4 == 0 and by_age or by_rank
  local at = next_of(list, list == by_age and oldest or foremost)
  if not at then break end
  if list == by_age then oldest = at else foremost = at end
  take(list[at])
end
return {now_ms, wait_ms(), redis.call('ZCARD', KEYS[1]), unpack(taken)}
