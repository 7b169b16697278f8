-- Idempotency keys. They have no TTL of Redis' own, which would let a volatile-* policy evict them before their time.
local function find_key(key)
  local record = redis.call('HGET', KEYTABLE, key)
  if not record then return nil end
  local expires, digest, answer = string.match(record, '^(%d+)\n([^\n]*)\n(.*)$')
  if tonumber(expires) < now_ms() then return nil end
  return digest, answer
end

local function forget_key(key)
  local size = redis.call('HSTRLEN', KEYTABLE, key)
  redis.call('HDEL', KEYTABLE, key)
  redis.call('ZREM', KEYAGES, key)
  if size > 0 then redis.call('HINCRBY', STATE, 'kbytes', -(size + #key)) end
end

local function expire_keys()
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYAGES, '-inf', text_of(now_ms()), 'LIMIT', 0, EXPIRE_LIMIT)) do
    forget_key(key)
  end
end

local function new_key(key, digest, answer)
  return { key, text_of(now_ms() + KEY_TTL_MS) .. '\n' .. digest .. '\n' .. answer }
end

local function keys_fit(records)
  gate()
  expire_keys()
  local bytes = tonumber(redis.call('HGET', STATE, 'kbytes') or '0')
  for _, record in ipairs(records) do bytes = bytes + #record[1] + #record[2] end
  return redis.call('ZCARD', KEYAGES) + #records <= KEYS_LIMIT and bytes <= KEYS_LIMIT_BYTES
end

local function store_keys(records)
  for _, record in ipairs(records) do
    forget_key(record[1])
    redis.call('HSET', KEYTABLE, record[1], record[2])
    redis.call('ZADD', KEYAGES, text_of(now_ms() + KEY_TTL_MS), record[1])
    redis.call('HINCRBY', STATE, 'kbytes', #record[1] + #record[2])
  end
end
