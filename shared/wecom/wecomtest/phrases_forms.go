package wecomtest

// Words of messages other than text.

type article struct{ title, description string }

var articles = [languages][]article{
	chinese: {
		{"{prod}上市：一图读懂", "投保年龄、保障责任、免责条款都在这里"},
		{"关于{city}分公司{date}系统升级的通知", "升级期间暂停保全受理，请提前安排"},
		{"理赔服务年报：平均{n}天结案", "小额案件当日赔付"},
		{"防范非法代理退保，别让保障“退”掉了", "监管部门风险提示"},
		{"收集表：{co}参会人员登记", "请于{date}前填写"},
	},
	traditional: {
		{"{prod}推廣優惠", "{date}前投保可享首年保費折扣"},
		{"市場週報", "利率走勢與環球股債展望"},
	},
	english: {
		{"{prod}: what changes on {date}", "Wording, limits & deductibles at a glance"},
		{"Weekly market note", "Freight rates <up>, claims down"},
	},
}

var fileStems = [languages][]string{
	chinese:     {"报价单", "投保单", "保险合同（盖章版）", "理赔资料清单", "团险人员名单", "会议纪要", "健康告知书", "产品条款", "培训课件", "现金价值表"},
	traditional: {"建議書", "保單條款", "賠償申請表", "客戶資料更新表"},
	english:     {"Quote", "Policy wording", "Survey report", "Slip_final", "Bordereau Q3", "NDA"},
}

var fileExts = []string{"xlsx", "pdf", "docx", "pptx", "zip", "pdf", "xlsx"}

var (
	appNames = [languages][]string{
		chinese:     {"投保助手", "理赔e点通", "会议室预约"},
		traditional: {"保單易", "預約易"},
		english:     {"Policy Wallet", "Claims Tracker"},
	}
	appPages = [languages][]string{
		chinese:     {"您有一份待签署的投保单", "点击预约体检", "理赔进度查询", "双录链接（当日有效）"},
		traditional: {"請簽署電子表格", "查閱保單詳情"},
		english:     {"Sign your proposal", "Track your claim"},
	}
	streets = [languages][]string{
		chinese:     {"人民路", "解放东路", "科技大道", "滨江路"},
		traditional: {"皇后大道", "彌敦道", "觀塘道"},
		english:     {" Harbour Road ", " Orchard Road ", " King Street "},
	}
	houseNumber = [languages]string{"号", "號", ""}
	buildings   = [languages][]string{
		chinese:     {"示例大厦", "国金中心", "创智天地", "A座3楼会议室"},
		traditional: {"示例中心", "海港城商廈"},
		english:     {"Example Tower", "Meeting Room 4"},
	}
	todoTitles = [languages][]string{
		chinese:     {"来源于聊天消息", "客户回访"},
		traditional: {"來自聊天訊息"},
		english:     {"From chat"},
	}
	voteTitles = [languages][]string{
		chinese:     {"团建地点", "培训时间投票", "客户答谢会选址"},
		traditional: {"聚餐地點"},
		english:     {"Where shall we meet?"},
	}
	collectTitles = [languages][]string{
		chinese:     {"客户信息登记表", "值班接龙", "参会回执"},
		traditional: {"出席回條"},
		english:     {"Attendance"},
	}
	questions = [languages][]string{
		chinese:     {"姓名", "人数", "到达日期", "到达时间"},
		traditional: {"姓名", "人數", "日期"},
		english:     {"Name", "Headcount", "Date"},
	}
	meetingTopics = [languages][]string{
		chinese:     {"晨会", "项目复盘会", "合规培训", "续期冲刺会", "理赔案例研讨"},
		traditional: {"每週例會", "賠案檢討"},
		english:     {"Weekly sync", "Renewal review", "Claims committee"},
	}
	meetingNotes = [languages][]string{
		chinese:     {"会议已开始", "会议将在15分钟后开始", "会议已结束，时长42分钟", "会议录制已生成"},
		traditional: {"會議已開始", "會議已結束"},
		english:     {"Meeting has started", "Meeting ended"},
	}
)

var wishes = []string{"恭喜发财，大吉大利", "开门红！", "生日快乐🎂", "恭喜發財", "Happy New Year", "辛苦了，买杯咖啡"}

var markdowns = []string{
	"**续期提醒** 今日应收 <font color=\"warning\">{n}</font> 件\n>保单：{no}\n>客户：{who}\n>金额：{amt}",
	"# 理赔日报 {date}\n- 新受理：{n}件\n- 结案金额：{amt}\n[查看详情](https://example.invalid/report)",
	"<@all> 监控告警：报价接口超时 {n} 次，请 {who} 处理",
}
