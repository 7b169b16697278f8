-- Messages that enter together, or not at all.
local function unit()
  local token, is_owned, key_count, message_count = arg(), arg() == '1', num(), num()
  local first_key = at
  local first_message = at + key_count * 4
  at = first_message + message_count * 2
  if token ~= '' and not is_alive(token) then return { 3, why_dead() } end
  if is_owned then
    local own = first_key + (key_count - 1) * 4
    local digest, answer = find_key(ARGV[own + 1])
    if digest then return digest == ARGV[own + 2] and { 1, answer } or { 2 } end
  end
  local records = {}
  for i = 1, key_count do
    local base = first_key + (i - 1) * 4
    local ids = {}
    for place in string.gmatch(ARGV[base + 3], '%d+') do
      ids[#ids + 1] = '"' .. epoch .. '-' .. text_of(seq + 1 + tonumber(place)) .. '"'
    end
    local answer = '{"ok":true,"ids":[' .. table.concat(ids, ',') .. '],"receivers":' .. ARGV[base + 4] .. '}'
    records[i] = new_key(ARGV[base + 1], ARGV[base + 2], answer)
  end
  if key_count > 0 and not keys_fit(records) then return { 4 } end
  -- Without keys the first message is the first write, and refused like one.
  if key_count > 0 then gate() end
  local first = seq + 1
  for i = 1, message_count do
    local kind = ARGV[first_message + i * 2 - 1]
    -- "=" tells the type "" from none.
    add(ARGV[first_message + i * 2], kind ~= '' and string.sub(kind, 2) or nil)
  end
  store_keys(records)
  return { 0, text_of(first) }
end

local function show_key()
  local digest, answer = find_key(arg())
  if not digest then return {} end
  return { digest, answer }
end

-- What each node does every second: renews the leases of its workers, and ends for all what is over.
local function tick()
  local first_offset, count = arg(), num()
  small_gate()
  local dead = {}
  for _ = 1, count do
    local token, seen = arg(), num()
    local worker = worker_of(token)
    if worker then
      worker.x, worker.l = now_ms() + LEASE_MS, seen
      save_worker(worker)
    else
      dead[#dead + 1] = token
      dead[#dead + 1] = why_dead()
    end
  end
  expire_workers()
  expire_keys()
  local expired = redis.call('EXISTS', COMMANDS) == 1 and expire_commands() or 0
  forget_consumers()
  -- Sums that a restore or an eviction has made wrong do not stay so.
  if redis.call('ZCARD', KEYAGES) == 0 then redis.call('HSET', STATE, 'kbytes', 0) end
  if redis.call('XLEN', COMMANDS) == 0 then redis.call('HSET', STATE, 'cbytes', 0) end
  redis.call('XTRIM', MESSAGES, 'MINID', '~', first_offset .. '-0')
  return { redis.call('ZCARD', KEYAGES), expired, dead }
end

local operations = {
  unit = unit, key = show_key, tick = tick, head = function() return {} end,
  probe = function() gate() return {} end,
  register = register, describe = describe, leave = leave, ready = ready, worker = show_worker,
  accept = accept, take = take, pause = pause, ack = acknowledge, command = show_command,
}

local results = {}
while at < #ARGV do results[#results + 1] = operations[arg()]() end
if seq ~= seq_before then redis.call('HSET', STATE, 'seq', text_of(seq)) end
local reply = { epoch, text_of(seq), redis.call('XLEN', COMMANDS), text_of(now_ms()), text_of(grace), announced, results }
if number > 0 and is_open then redis.call('SET', CALL, cmsgpack.pack(number, reply), 'PX', CALL_TTL_MS) end
return reply
