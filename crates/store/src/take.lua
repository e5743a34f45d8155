-- Takes from one budget: up to `want` hits, or none if fewer than `least` are left. Returns what was taken, what is left
-- after that, and in microseconds when the budget is whole again or its window ends, and how long until one hit passes.
-- The server's clock is the only one, so that machines need not agree on theirs.
local kind, limit, window = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local burst, want, least = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- What is given back was taken: nothing is refused to it.
local function grant(left)
  if want < 0 then return want end
  local taken = math.min(want, math.max(left, 0))
  if taken < least then return 0 end
  return taken
end

local function keep(microseconds)
  redis.call('PEXPIRE', KEYS[1], math.ceil(microseconds / 1000) + 1)
end

if kind == 'sliding' then
  -- the hits of this window, and of the one before as much as still reaches into the last window's time
  local seen = redis.call('HMGET', KEYS[1], 'i', 'p', 'c')
  local index = math.floor(now / window)
  local age = index - tonumber(seen[1] or index)
  local before, current = tonumber(seen[2] or 0), tonumber(seen[3] or 0)
  if age == 1 then before, current = current, 0 elseif age ~= 0 then before, current = 0, 0 end
  local left = window - now % window
  local used = before * left / window + current
  local taken = grant(math.floor(limit - used + 1e-6))
  current = math.max(current + taken, 0)
  if taken ~= 0 then
    redis.call('HSET', KEYS[1], 'i', index, 'p', before, 'c', current)
    keep(2 * window)
  end
  used = before * left / window + current
  local wait = 0
  if taken == 0 and want > 0 then
    local need = math.min(least, limit)
    local room = limit - current - need
    if room >= 0 and before > 0 then
      wait = math.max(left - window * room / before, 0)
    else
      wait = left + window * (1 - math.min((limit - need) / math.max(current, 1), 1))
    end
  end
  return { taken, math.max(math.floor(limit - used + 1e-6), 0), left, math.ceil(wait) }
end

if kind == 'fixed' then
  -- a window begins with the first hit in it
  local seen = redis.call('HMGET', KEYS[1], 's', 'c')
  local start, count = tonumber(seen[1] or now), tonumber(seen[2] or 0)
  if now - start >= window then start, count = now, 0 end
  local reset = window - (now - start)
  local taken = grant(limit - count)
  count = math.max(count + taken, 0)
  if taken ~= 0 then
    redis.call('HSET', KEYS[1], 's', start, 'c', count)
    keep(reset)
  end
  local wait = 0
  if taken == 0 and want > 0 then wait = reset end
  return { taken, limit - count, reset, wait }
end

-- a bucket that empties evenly (GCRA): what is kept is when it will be empty
local interval = window / limit
local most = interval * burst
local empty = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local function room() return math.floor((most - (empty - now)) / interval + 1e-6) + 1 end
local taken = grant(room())
empty = math.max(empty + interval * taken, now)
if taken ~= 0 then
  redis.call('SET', KEYS[1], string.format('%.3f', empty), 'PX', math.ceil((empty - now) / 1000) + 1)
end
local wait = 0
if taken == 0 and want > 0 then
  wait = math.max(empty - now + interval * (math.min(least, burst + 1) - 1) - most, 0)
end
return { taken, math.max(room(), 0), math.ceil(empty - now), math.ceil(wait) }
