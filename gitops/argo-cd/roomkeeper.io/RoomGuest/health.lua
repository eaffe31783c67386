local hs = {}

if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == "Ready" then
      hs.message = condition.message
      -- The guest of a call that is over has no invite any more, which is no fault.
      if condition.status == "True" or condition.reason == "Expired" then
        hs.status = "Healthy"
      elseif condition.reason == "NameConflict" or condition.reason == "LinkReplaced" or condition.reason == "TooManyParticipants" then
        hs.status = "Degraded"
      else
        hs.status = "Progressing"
      end
      return hs
    end
  end
end

hs.status = "Progressing"
hs.message = "Waiting for the controller"
return hs
