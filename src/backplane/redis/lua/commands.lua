-- Messages for the worker: a stream with a consumer group, whose consumers are the workers' tokens. The fate of each is kept
-- beside it: {s state, a attempts, e entry, b bytes}. An entry's id says when it was accepted.
local GROUP = 'workers'

-- The group is made with the stream, which stays when it is empty.
local function has_group()
  if redis.call('EXISTS', COMMANDS) == 1 then return end
  small_gate()
  redis.call('XGROUP', 'CREATE', COMMANDS, GROUP, '0', 'MKSTREAM')
end

local function created_of(entry) return tonumber(string.match(entry, '^%d+')) end

local function fate_of(id)
  local packed = redis.call('HGET', FATES, id)
  return packed and cmsgpack.unpack(packed)
end

local function is_pending(fate) return fate.s == 'queued' or fate.s == 'sent' end

local function finish(id, fate, new_state)
  redis.call('XACK', COMMANDS, GROUP, fate.e)
  redis.call('XDEL', COMMANDS, fate.e)
  fate.s = new_state
  redis.call('HSET', FATES, id, cmsgpack.pack(fate))
  redis.call('ZADD', FINISHED, text_of(now_ms()), id)
  redis.call('HINCRBY', STATE, 'cbytes', -fate.b)
end

local function forget_fates(ids)
  if #ids == 0 then return end
  redis.call('HDEL', FATES, unpack(ids))
  redis.call('ZREM', FINISHED, unpack(ids))
end

local function id_of(fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'i' then return fields[i + 1] end
  end
end

-- How many have expired. A bounded number at a time: the next tick goes on.
local function expire_commands()
  local count = 0
  local border = text_of(now_ms() - COMMAND_TTL_MS)
  for _ = 1, EXPIRE_LIMIT do
    local oldest = redis.call('XRANGE', COMMANDS, '-', border, 'COUNT', 1)[1]
    if not oldest then break end
    small_gate()
    local id = id_of(oldest[2])
    local fate = fate_of(id)
    if fate then finish(id, fate, 'expired') else redis.call('XDEL', COMMANDS, oldest[1]) end
    count = count + 1
  end
  local old = text_of(now_ms() - FORGET_AFTER_MS)
  forget_fates(redis.call('ZRANGEBYSCORE', FINISHED, '-inf', old, 'LIMIT', 0, EXPIRE_LIMIT))
  local excess = redis.call('ZCARD', FINISHED) - FINISHED_LIMIT
  if excess > 0 then forget_fates(redis.call('ZRANGE', FINISHED, 0, math.min(excess, EXPIRE_LIMIT) - 1)) end
  return count
end

-- The worker that takes commands: the last one to have said that it is ready.
local function taker()
  local newest
  for _, worker in ipairs(workers()) do
    if worker.r > 0 and (not newest or worker.r > newest.r) then newest = worker end
  end
  return newest
end

-- How many each consumer holds, and how many no live worker has.
local function holdings()
  local summary = redis.call('XPENDING', COMMANDS, GROUP)
  local unheld = redis.call('XLEN', COMMANDS) - summary[1]
  local of_dead = {}
  for _, one in ipairs(summary[4] or {}) do
    if not is_alive(one[1]) then
      of_dead[#of_dead + 1] = one[1]
      unheld = unheld + tonumber(one[2])
    end
  end
  return unheld, of_dead
end

local function accept()
  local id, text, if_offline, key, digest = arg(), arg(), arg(), arg(), arg()
  if key ~= '' then
    local known, answer = find_key(key)
    if known then return known == digest and { 1, answer } or { 2 } end
  end
  if if_offline == 'reject' and status ~= 'online' then return { 5 } end
  gate()
  has_group()
  local expired = expire_commands()
  local waiting = redis.call('XLEN', COMMANDS)
  local bytes = tonumber(redis.call('HGET', STATE, 'cbytes') or '0')
  if waiting >= COMMAND_QUEUE or bytes + #text > QUEUE_LIMIT_BYTES then return { 6, waiting, expired } end
  local newest = taker()
  local goes_now = newest and not newest.p
  local state_name = goes_now and 'sent' or 'queued'
  local records = {}
  if key ~= '' then
    records[1] = new_key(key, digest, '{"ok":true,"id":"' .. id .. '","status":"' .. state_name .. '"}')
    if not keys_fit(records) then return { 4, 0, expired } end
  end
  local entry = redis.call('XADD', COMMANDS, '*', 'i', id, 'd', text)
  redis.call('HSET', FATES, id, cmsgpack.pack({ s = 'queued', a = 0, e = entry, b = #text }))
  redis.call('HINCRBY', STATE, 'cbytes', #text)
  store_keys(records)
  signal()
  return { 0, state_name, expired }
end

local function compare_ids(a, b)
  local a_ms, a_n = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_n = string.match(b, '^(%d+)-(%d+)$')
  if a_ms ~= b_ms then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_n) < tonumber(b_n)
end

-- What dead workers hold, in order; their consumers go when nothing is left.
local function orphans(of_dead)
  local entries = {}
  for _, consumer in ipairs(of_dead) do
    for _, one in ipairs(redis.call('XPENDING', COMMANDS, GROUP, '-', '+', TAKE_LIMIT, consumer)) do
      entries[#entries + 1] = one[1]
    end
  end
  table.sort(entries, compare_ids)
  return entries
end

-- Assigns commands to a worker. Its node numbers its takes, and says which one it has the answer of: what an answer that was
-- lost held is given again, since it has not been sent. A take that comes again is given nothing else.
local function take()
  local token, take_number, confirmed = arg(), num(), num()
  local worker = worker_of(token)
  if not worker then return { 1, why_dead() } end
  has_group()
  local newest = taker()
  if take_number < worker.n then return { 2 } end
  local is_repeat = take_number == worker.n
  small_gate()
  local reply, taken, bytes = { 0, 0 }, {}, 0
  local function is_full() return #taken >= TAKE_LIMIT or bytes >= TAKE_LIMIT_BYTES end
  -- Gives one entry, unless it has gone or its time is over.
  local function give(entry, fields, is_again)
    local id, text
    for i = 1, #fields, 2 do
      if fields[i] == 'i' then id = fields[i + 1] elseif fields[i] == 'd' then text = fields[i + 1] end
    end
    local fate = fate_of(id)
    if not fate then
      redis.call('XACK', COMMANDS, GROUP, entry)
      redis.call('XDEL', COMMANDS, entry)
    end
    if not fate or created_of(entry) + COMMAND_TTL_MS <= now_ms() then return end
    if not is_again then fate.a = fate.a + 1 end
    fate.s = 'sent'
    redis.call('HSET', FATES, id, cmsgpack.pack(fate))
    reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = id, fate.a, text
    taken[#taken + 1] = entry
    bytes = bytes + #text
  end

  if is_repeat or confirmed ~= worker.n then
    for _, entry in ipairs(worker.u) do
      local held = redis.call('XPENDING', COMMANDS, GROUP, entry, entry, 1, token)[1]
      local found = held and redis.call('XRANGE', COMMANDS, entry, entry)[1]
      if found then give(entry, found[2], true) end
    end
  end
  if newest and newest.token == token and not is_repeat then
    local _, of_dead = holdings()
    for _, entry in ipairs(orphans(of_dead)) do
      if is_full() then break end
      local claimed = redis.call('XCLAIM', COMMANDS, GROUP, token, 0, entry)[1]
      if claimed then give(entry, claimed[2], false) else redis.call('XACK', COMMANDS, GROUP, entry) end
    end
    -- Older ones first: nothing new while a dead worker holds something.
    while not is_full() and (#of_dead == 0 or #orphans(of_dead) == 0) do
      local new = redis.call('XREADGROUP', 'GROUP', GROUP, token, 'COUNT', 1, 'STREAMS', COMMANDS, '>')
      if not new then break end
      give(new[1][2][1][1], new[1][2][1][2], false)
    end
    if holdings() > 0 then reply[2] = 1 end
  end
  worker.n, worker.u, worker.p = take_number, taken, nil
  save_worker(worker)
  return reply
end

-- The worker reads slowly: until its node takes again, commands are queued.
local function pause()
  local worker = worker_of(arg())
  if not worker then return { 1, why_dead() } end
  small_gate()
  worker.p = 1
  save_worker(worker)
  return { 0 }
end

-- How many were waiting for this.
local function acknowledge()
  local token, count = arg(), 0
  -- What a superseded worker says comes too late: its commands go to its successor.
  local is_late = token ~= '' and not is_alive(token)
  for _ = 1, num() do
    local id = arg()
    local fate = fate_of(id)
    if fate and is_pending(fate) and not is_late then
      small_gate()
      finish(id, fate, 'acknowledged')
      count = count + 1
    end
  end
  return { count }
end

local function show_command()
  local fate = fate_of(arg())
  if not fate then return {} end
  return { fate.s, fate.a, text_of(created_of(fate.e)) }
end

local function forget_consumers()
  if redis.call('EXISTS', COMMANDS) == 0 then return end
  for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', COMMANDS, GROUP)) do
    local one = {}
    for i = 1, #info, 2 do one[info[i]] = info[i + 1] end
    if one.pending == 0 and not is_alive(one.name) then
      redis.call('XGROUP', 'DELCONSUMER', COMMANDS, GROUP, one.name)
    end
  end
end
