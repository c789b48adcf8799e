package pages

// damageWords are of the page of damage.
var damageWords = map[string]phrase{
	"nav.damage":          {"损坏", "Damage"},
	"damage.note":         {"丢失、被改动或来历不明的对象。恢复后告警会自行解除；无法恢复的，请写明原因并确认，原因将永久留存。", "Objects that are missing, altered, or that nobody knows. An alarm ends by itself once its object is whole again. What nothing mends, acknowledge with a reason: it stays on record for ever."},
	"damage.none":         {"没有未处理的损坏。", "Nothing is known to be damaged."},
	"damage.missing":      {"丢失", "missing"},
	"damage.altered":      {"被改动或无法读取", "altered or unreadable"},
	"damage.stray":        {"来历不明", "stray"},
	"damage.hole":         {"页面缺失", "pages are missing"},
	"damage.in.archive":   {"存档", "in the archive"},
	"damage.in.derived":   {"由存档生成的数据", "made from the archive"},
	"damage.stretch":      {"序号 %d 之后至 %d 的消息", "messages after seq %d, up to %d"},
	"damage.noticed":      {"发现于 %s，发现者：%s", "noticed %s by: %s"},
	"damage.reason":       {"原因（不要写消息内容）", "Reason (never what messages say)"},
	"damage.acknowledge":  {"确认", "Acknowledge"},
	"damage.needsreason":  {"请写明原因。", "Say why."},
	"damage.more":         {"还有更多：wecom-archive damage", "There are more: wecom-archive damage"},
	"damage.acknowledged": {"已确认", "Acknowledged"},
	"damage.what":         {"情况", "What"},
	"damage.key":          {"对象", "Object"},
	"damage.when":         {"发现于", "Noticed"},
	"damage.by":           {"确认人", "Acknowledged by"},
	"damage.why":          {"原因", "Reason"},
	"damage.link":         {"查看损坏", "Look at what is damaged"},
}
