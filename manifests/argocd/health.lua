-- Health of an object of aifactory.dev. Argo CD sets `obj`; of Lua's libraries only the basic one is there.
local waiting = {status = "Progressing", message = "The operator has not looked at this generation yet"}
if obj.status == nil or obj.status.conditions == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return waiting
end

local found = {}
for _, condition in ipairs(obj.status.conditions) do
  found[condition.type] = condition
end

local stalled, ready = found.Stalled, found.Ready
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
if ready == nil then
  return waiting
end
if ready.status ~= "False" and (ready.reason == "Paused" or ready.reason == "PlanOnly") then
  return {status = "Suspended", message = ready.message}
end
local of = {True = "Healthy", False = "Degraded"}
return {status = of[ready.status] or "Progressing", message = ready.message}
