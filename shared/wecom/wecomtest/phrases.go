package wecomtest

// Words that the simulated corp is made of. Everything in here is made up.

type name struct{ chinese, latin string }

var surnames = []name{
	{"李", "li"}, {"王", "wang"}, {"张", "zhang"}, {"刘", "liu"}, {"陈", "chen"}, {"杨", "yang"},
	{"赵", "zhao"}, {"黄", "huang"}, {"周", "zhou"}, {"吴", "wu"}, {"徐", "xu"}, {"孙", "sun"},
	{"胡", "hu"}, {"朱", "zhu"}, {"高", "gao"}, {"林", "lin"}, {"何", "he"}, {"郭", "guo"},
	{"马", "ma"}, {"罗", "luo"}, {"梁", "liang"}, {"宋", "song"}, {"郑", "zheng"}, {"谢", "xie"},
	{"韩", "han"}, {"唐", "tang"}, {"冯", "feng"}, {"欧阳", "ouyang"}, {"司徒", "situ"},
}

var givenNames = []name{
	{"娜", "na"}, {"伟", "wei"}, {"芳", "fang"}, {"敏", "min"}, {"静", "jing"}, {"丽", "li"},
	{"强", "qiang"}, {"磊", "lei"}, {"军", "jun"}, {"洋", "yang"}, {"勇", "yong"}, {"艳", "yan"},
	{"杰", "jie"}, {"涛", "tao"}, {"明", "ming"}, {"超", "chao"}, {"秀英", "xiuying"}, {"霞", "xia"},
	{"平", "ping"}, {"刚", "gang"}, {"桂英", "guiying"}, {"思远", "siyuan"}, {"子涵", "zihan"},
	{"雨桐", "yutong"}, {"浩然", "haoran"}, {"嘉怡", "jiayi"}, {"晓彤", "xiaotong"}, {"建国", "jianguo"},
	{"志强", "zhiqiang"}, {"文静", "wenjing"}, {"一鸣", "yiming"},
}

var (
	honorifics   = []string{"生", "太太", "小姐", "總", "經理", "律師"}
	englishNames = []string{"Grace", "Kelvin", "Michelle", "Raymond", "Olivia", "Daniel", "Fiona", "Marcus", "Priya", "Tom"}
	robotNames   = []string{"理赔提醒", "续期机器人", "监控告警", "日报助手"}
)

var roomNames = [languages][]string{
	chinese:     {"华东大客户服务群", "理赔绿色通道", "续期提醒群", "新单承保沟通", "保全业务答疑", "项目周会", "合规自查小组", "年金产品培训", "车险快处群", "企业团险对接"},
	traditional: {"港澳客戶服務", "理賠支援群組", "續保跟進", "財富管理交流"},
	english:     {"APAC Renewals", "Marine Claims Desk", "Onboarding & KYC", "Broker Support"},
}

// Things that placeholders in the lines below stand for.
var (
	products = [languages][]string{
		chinese:     {"安盈年金险", "稳健增长三号", "团体意外险", "百万医疗2026版", "企业财产一切险", "雇主责任险", "货运险", "少儿教育金", "康护重疾险", "家财无忧"},
		traditional: {"儲蓄壽險計劃", "優越醫療保", "家居財物保", "僱主責任保險", "貨運保險"},
		english:     {"Marine Cargo Cover", "Group Life Plan", "D&O policy", "Trade Credit cover", "Key Person policy"},
	}
	companies = [languages][]string{
		chinese:     {"海岳物流", "启明医疗器械", "云帆科技", "恒泰纺织", "金穗粮油", "南桥建设", "东篱餐饮", "蓝鲸冷链"},
		traditional: {"永亨貿易", "大嶼山物流", "嘉盛珠寶", "南灣地產"},
		english:     {"Harbour Freight Ltd", "Blue Heron Textiles", "Kestrel Medical", "Northgate Foods"},
	}
	cities = [languages][]string{
		chinese:     {"上海", "杭州", "苏州", "深圳", "成都", "武汉", "西安", "厦门"},
		traditional: {"中環", "尖沙咀", "觀塘", "澳門", "台北"},
		english:     {"Singapore", "Hong Kong", "Shanghai", "London"},
	}
)

// A script is a conversation in lines. The first character says who speaks:
// ">" the one who asked first, "<" the one who answers.
var scripts = [languages][][]string{
	chinese:     chineseScripts,
	traditional: traditionalScripts,
	english:     englishScripts,
}

var chineseScripts = [][]string{
	{
		">你好{other}，想咨询一下{prod}，年交大概多少？",
		"<{other}您好，{prod}按您的情况年交约{amt}，交{n}年，具体以核保结果为准。",
		">能发一份报价单吗？",
		"<可以的，今天{time}之前发您。请问被保险人是您本人吗？",
		">是给我爱人投的，她{age}岁。",
		"<明白，那需要她的身份证正反面照片，还有健康告知要如实填写。",
		">她前年做过一个小手术，这个要写吗？",
		"<要写的，麻烦把出院小结也一起发来，我们先做预核保。",
		">好的，我找一下。",
		"<不着急，{date}前给到我就来得及。",
		">费率是不是下个月要调？",
		"<对，{date}起执行新费率，所以建议这周定下来。",
		">那我和家里商量一下，明天答复您。",
		"<没问题，有任何问题随时找我。",
	},
	{
		">我要报案，车子在{city}高架上被追尾了。",
		"<您别着急，人有没有受伤？",
		">人没事，后保险杠坏了。",
		"<好的，请先拍现场照片：车辆全景、碰撞部位、双方车牌。",
		">拍好了，马上传。",
		"<请提供一下保单号和驾驶证。",
		">保单号{no}，驾驶证照片发了。",
		"<案件已受理，报案号{no}，查勘员{time}联系您。",
		">大概能赔多少？",
		"<按目前定损约{amt}，以4S店最终报价为准。",
		">修车要多久？",
		"<一般{n}个工作日，期间可以申请代步车。",
		">谢谢，非常及时！",
		"<应该的，祝您平安。",
	},
	{
		">{other}，您的{prod}（保单{no}）将于{date}到期，请留意续期。",
		"<今年保费多少？",
		">{amt}，和去年一样，没有上浮。",
		"<能不能优惠一点？",
		">续期客户可以参加满期礼活动，保费是监管报备的，没法再低了。",
		"<那自动扣款的卡换一张可以吗？",
		">可以，麻烦您在小程序里“保全服务—变更账号”操作，或者我帮您线下办。",
		"<线上吧，我晚上弄。",
		">好的，宽限期是60天，到期前务必完成哦。",
		"<换好了，你看看成功没有？",
		">系统显示已生效，{date}扣款{amt}。",
		"<👌",
	},
	{
		">{other}，我上个月提交的理赔到现在没消息，怎么回事？",
		"<非常抱歉让您久等，我马上查一下，请问报案号是多少？",
		">{no}",
		"<查到了，目前缺一份医院盖章的费用清单，短信可能被拦截了。",
		">又要跑一趟医院？",
		"<不用，您授权后我们可以直接向医院调取，需要{n}天左右。",
		">那赶紧的，再拖我要投诉了！",
		"<理解您的心情，我已申请加急，{date}前一定给您结果。",
		">大概赔多少？",
		"<社保报销后剩余{amt}，扣除免赔额按90%赔付。",
		">好吧，等你消息。",
		"<已审核通过，款项{amt}预计{date}到账，请查收。",
		">收到了，谢谢，态度还不错。",
	},
	{
		">在吗？问个产品问题",
		"<在的，您说",
		">{prod}和银行理财比收益怎么样",
		"<两者不是一类产品哈，{prod}的现金价值写在合同里，分红部分是不确定的，不能承诺收益。",
		">别的公司说保证{n}%",
		"<超出合同利益的承诺都是违规的，建议您留好证据，也别私下转账。",
		">明白了，那你把条款发我看看",
		"<{file}，重点看第{n}页的利益演示。",
		">退保损失大吗？",
		"<前几年退保损失较大，第{n}年现金价值才超过已交保费，请您考虑清楚再投。",
		">我再想想",
		"<好的，犹豫期15天，您随时可以问我。",
	},
	{
		">{co}的团险名单更新了，新增{n}人，减少2人。",
		"<模板用最新版了吗？上次身份证列是文本格式，导入报错。",
		">用了，{file}",
		"<收到，我先跑一遍校验。",
		">生效日写{date}可以吧？",
		"<可以，次日零时生效。补缴保费{amt}，今天能付吗？",
		">财务{time}统一打款。",
		"<打款备注写保单号{no}，不然对不上账。",
		">好，回单发你。",
		"<批单已出，电子保单稍后推送到HR邮箱。",
	},
}

// officeScripts are what colleagues talk about among themselves.
var officeScripts = [][]string{
	{
		">{other}，{co}的合同你那边盖章了吗？",
		"<法务还在看第{n}条，违约金比例他们有意见。",
		">客户催得急，最晚{date}要拿到原件。",
		"<我下午去催，能走电子签吗？",
		">客户只认纸质章，一式{n}份。",
		"<行，那我让行政{time}寄顺丰。",
		">单号发我一下。",
		"<SF{no}，预计明天到{city}。",
		">辛苦！付款条件还是首期30%吗？",
		"<是的，首期{amt}，验收后付清。",
		">发票开专票，税号我稍后发你。",
		"<收到。",
	},
	{
		">明天{time}的会还开吗？",
		"<开，改到{n}楼大会议室。",
		">议题有哪些？",
		"<三件事：一季度达成、{co}项目复盘、合规培训安排。",
		">达成数据谁来讲？",
		"<你讲吧，我把底稿发你，注意{city}那块口径和总部不一致。",
		">差多少？",
		"<差{amt}，主要是退保没剔除。",
		">行，我今晚改。材料几点前要？",
		"<明早{time}前发群里就行。",
		">@{who} 记得带上次的会议纪要",
		"<好嘞，已打印。",
	},
	{
		">{co}的团险名单更新了，新增{n}人，减少2人。",
		"<模板用最新版了吗？上次身份证列是文本格式，导入报错。",
		">用了，{file}",
		"<收到，我先跑一遍校验。",
		">生效日写{date}可以吧？",
		"<可以，次日零时生效。补缴保费{amt}，今天能付吗？",
		">财务{time}统一打款。",
		"<打款备注写保单号{no}，不然对不上账。",
		">好，回单发你。",
		"<批单已出，电子保单稍后推送到HR邮箱。",
	},
	{
		">周末有空打球吗？",
		"<周六要陪客户去{city}，周日可以",
		">那周日{time}，老地方",
		"<叫上{who}一起？",
		">他说膝盖不行，要不换羽毛球😂",
		"<哈哈哈可以，AA，场地费我先垫",
		">多少钱回头转你",
		"<{n}百搞定，不贵",
	},
	{
		">{other}，{city}那边的双录抽检结果出来了吗？",
		"<出来了，抽了{n}0件，不合格{n}件，都是没念完整免责条款。",
		">名单发我，我让主管逐个回访。",
		"<{file}，里面有客户信息，别转出去哈。",
		">放心，只在内网看。整改报告什么时候交？",
		"<合规要求{date}前，系统里走OA。",
		">行，我周三先出初稿，你帮我看看措辞。",
		"<没问题，另外{prod}的话术也要更新，旧版有“保本”字样，必须删。",
		">这个太敏感了，今天就下架。",
		"<已经让培训部撤了课件。",
	},
	{
		">我这边有个急单，{co}，保额{amt}，能插个队核保吗？",
		"<财务证明齐不齐？超过500万要契调。",
		">审计报告和完税证明都有，体检也做了。",
		"<先传影像，我和{who}说一声，{time}给你意见。",
		">太感谢了，客户{date}出国。",
		"<血压有一项偏高，可能要加费，你先打个预防针。",
		">加多少？",
		"<大概{n}%，标体的话就不加。",
		">我去沟通，尽量今天签。",
	},
}

var traditionalScripts = [][]string{
	{
		">{other}你好，想了解一下{prod}，供款期幾多年？",
		"<您好，{prod}可以揀{n}年或者10年供款，每年大約{amt}。",
		">如果中途想取回部分現金可以嗎？",
		"<可以申請部分退保，不過頭幾年現金價值較低，建議細閱建議書第{n}頁。",
		">明白，唔該晒🙏",
		"<唔使客氣，{date}方便嚟{city}分行簽文件嗎？",
		">{time}得唔得？",
		"<可以，請帶埋身份證同住址證明。",
		">收到，到時見。",
		"<到時見～",
	},
	{
		">請問我張{prod}幾時到期？",
		"<保單{no}於{date}到期，續保保費為{amt}。",
		">可唔可以用轉數快？",
		"<可以，付款後請將截圖傳給我。",
		">已經過數，麻煩查收。",
		"<已收妥，電子保單會於{n}個工作天內發出。",
		">我換咗地址，要點樣更新？",
		"<我傳一份表格俾您，填好簽名就可以。",
	},
	{
		">{co}的賠案進度如何？",
		"<公證行報告已收到，損失評估為{amt}，尚欠提單正本。",
		">正本{date}先到{city}。",
		"<好的，收到後{n}日內可以批核。",
		">客戶話想先收部分賠款。",
		"<我同總部申請暫付，今日{time}前覆您。",
	},
}

var englishScripts = [][]string{
	{
		">Hi {other}, could you send me the quote for the {prod}?",
		"<Sure. Indicative premium is {amt} per annum, subject to survey. Quote valid until {date}.",
		">Is the deductible still the same as last year?",
		"<It went up slightly: {n}% of each loss. Claims experience was not great...",
		">Understood. Can we get a better rate if {co} signs for two years?",
		"<Let me check with underwriting, will come back to you by {time}.",
		">Thanks! Please copy {who} on the email.",
		"<Done. Underwriting agreed to a 5% long-term discount.",
		">Great, please prepare the contract then.",
		"<Will do. Draft attached as {file}, comments welcome.",
	},
	{
		">Morning! Any update on claim #{no}?",
		"<The surveyor visited the warehouse in {city} yesterday, report expected {date}.",
		">The client is asking for an interim payment of {amt}.",
		"<We need the packing list and the B/L first. Can they share these today?",
		">They'll send both before {time}.",
		"<Perfect. I'll line up the approval so we don't lose time.",
		">Appreciated 👍",
		"<Interim payment approved, value date {date}.",
	},
	{
		">Are we still on for the renewal call at {time}?",
		"<Yes, dial-in is in the calendar invite. {who} from {co} joins as well.",
		">Agenda?",
		"<1) loss ratio  2) new locations  3) sanctions clause wording",
		">Legal has concerns about clause {n}.2, \"cooling-off period\" is missing.",
		"<Noted, let's raise it on the call.",
		">See you there.",
	},
}

// Short remarks that fall in anywhere.
var remarks = [languages][]string{
	chinese:     {"好的", "收到", "嗯嗯", "👌", "OK", "稍等", "马上", "谢谢！", "辛苦了[抱拳]", "哈哈哈", "在开会，晚点回您", "好的呢～", "[强]", "？？", "已读", "ＯＫ，没问题！", "👨‍👩‍👧‍👦", "明白～～"},
	traditional: {"好呀", "收到", "唔該", "OK🙆", "等等", "冇問題", "多謝晒", "明白", "辛苦晒"},
	english:     {"ok", "Thanks!", "Noted.", "sure", "one sec", "👍", "Will do", "Got it, thx", "In a meeting, back at 3pm", "🎉🎉"},
}

// Longer texts that are sent as one message.
var notices = [languages][]string{
	chinese: {
		"【通知】各位同事：\n1、{date}前完成反洗钱培训，课程在学习平台“合规必修”；\n2、客户资料不得通过个人微信外传；\n3、双录不合格件本周内补录，名单见{file}。\n请收到回复，谢谢！",
		"{co}项目进展：\n①报价{amt}已确认\n②合同编号{no}，法务审核中\n③预计{date}出单\n风险点：健康告知有{n}份未回收，请{who}跟进。",
		"会议纪要（{date}）\n参会：{me}、{other}、{who}\n决议：{prod}佣金方案维持不变；{city}分公司费用预算核减{amt}；下次会议{time}。",
	},
	traditional: {
		"各位，{date}假期安排：{city}辦事處照常開放至{time}，緊急賠案請致電熱線 2８８８－{n}０００。",
		"【提醒】{prod}的新版建議書已上載，舊版於{date}起停用。\n查詢請聯絡{who}。",
	},
	english: {
		"Hi all,\n\nPlease find below the status for {co}:\n- premium {amt}, agreed\n- policy no. {no}, to be issued by {date}\n- open point: survey of {city} warehouse (<{n} weeks>)\n\nBest regards",
	},
}
