-- Health from the conditions. It needs no library of Lua's: Argo CD opens few for scripts from its ConfigMap.
local generation = obj.metadata.generation
local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end

-- A condition counts only for the generation that it has seen. The root's observedGeneration may lag behind while
-- work goes on, and isn't asked.
local function holds(condition)
  return condition ~= nil and condition.status == "True" and condition.observedGeneration == generation
end

-- Every reason that begins with "Awaiting", and no other, sorts between these two.
local function awaits(condition)
  return holds(condition) and condition.reason >= "Awaiting" and condition.reason < "Awaitinh"
end

local ready = conditions.Ready
local message = ready ~= nil and ready.message or ""

if obj.metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = message }
end
if ready == nil then
  return { status = "Progressing", message = "The operator hasn't looked at it yet." }
end
if ready.observedGeneration ~= generation then
  return { status = "Progressing", message = "The operator hasn't looked at the latest change yet." }
end
if holds(conditions.Stalled) then
  return { status = "Degraded", message = message }
end
if awaits(conditions.Reconciling) then
  return { status = "Suspended", message = message }
end
if ready.status == "True" then
  return { status = "Healthy", message = message }
end
return { status = "Progressing", message = message }
