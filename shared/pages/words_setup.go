package pages

// setupWords are of the steps of setting up.
var setupWords = map[string]phrase{
	"setup.intro":   {"按顺序完成以下步骤。只有有证据的步骤才显示为已完成。", "Do these in order. A step counts as done only if something proves it."},
	"state.done":    {"已完成", "done"},
	"state.open":    {"未完成", "open"},
	"state.wrong":   {"有误", "wrong"},
	"state.person":  {"需人工确认", "for a person"},
	"optional":      {"可选", "optional"},
	"schedule":      {"拉取计划", "Schedule"},
	"retention":     {"保留期限", "Retention"},
	"keys":          {"公钥", "Public keys"},
	"keys.versions": {"已证实的公钥版本号", "Key versions proved"},
	"fingerprint":   {"指纹", "Fingerprint"},
	"checkup":       {"最近一次检查", "Last checkup"},
}
