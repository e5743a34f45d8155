-- Notes a purge under the next number, and says so. KEYS: all purges. ARGV: the purge, channel, what is said there, how many are kept.
-- `n` is the last number, `b` the last of those that are kept no more.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local number = math.max(now, tonumber(redis.call('HGET', KEYS[1], 'n') or 0) + 1)
local name = string.format('%.0f', number)
redis.call('HSET', KEYS[1], 'n', name, name, ARGV[1])
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) + 2 then
  local numbers = {}
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if field ~= 'n' and field ~= 'b' then numbers[#numbers + 1] = field end
  end
  table.sort(numbers, function(one, other) return tonumber(one) < tonumber(other) end)
  local half = math.floor(#numbers / 2)
  for index = 1, half do redis.call('HDEL', KEYS[1], numbers[index]) end
  redis.call('HSET', KEYS[1], 'b', numbers[half])
end
-- longer than anything is kept that was fetched before
redis.call('PEXPIRE', KEYS[1], 172800000)
redis.call('PUBLISH', ARGV[2], ARGV[3])
return name
