// The words for what the API names by a key.
export const STATUS = { new: "待领", reopened: "重开", assigned: "处理中", waiting_customer: "等客户", waiting_field: "等现场", resolved: "已办结", closed: "已关闭" };
export const EVENTS = {
  opened: "开单", claimed: "领单", assigned: "派单", released: "退回", reply: "回复", note: "备注", transferred: "转派", resolved: "办结", reopened: "重开", closed: "关闭",
  priority: "改优先级", category: "改类别", urged: "催办", customer_message: "客户来信", merged: "合并", merged_from: "并入", split: "拆分", linked: "关联", undone: "撤销",
  promised: "承诺", escalated: "升级", warning: "时限提醒", waiting_field: "等现场", arrived: "到达现场", aged: "久等升序", mass_reply: "群发", apology: "致歉",
};
export const SPEAKERS = { customer: "客户", bot: "机器人", agent: "坐席", system: "系统" };
export const CHANNELS = { web: "网页", telegram: "Telegram", wechat: "微信" };
export const DELIVERY = { queued: "发送中", sent: "已送达", delivered: "已送达", failed: "没有送达", expired: "已过回复时限" };
export const ATTACHMENTS = { image: "图片", voice: "语音", video: "视频", file: "文件" };
export const CLOCKS = { first_response: "首次响应", next_response: "再次响应", field_arrival: "到达现场", resolve: "办结", promise: "承诺", update: "进展告知" };
export const HANDOFFS = {
  "customer asked": "客户要求人工", "bot unavailable": "机器人无法应答", "action failed": "系统出错", "two misses": "机器人两次没听懂",
  "fourth contact": "两小时内第四次联系", "customer wrote": "客户来信", danger: "人身安全", };
export const SLOTS = { account_no: "户号", topic: "事项", verified: "已核验", month: "月份", area: "小区", last_area: "小区" };
export const CREW = { dispatched: "抢修已派", arrived: "已到现场", repairing: "抢修中", restored: "已恢复" };
export const OUTAGES = { planned: "计划停电", fault: "故障停电", temporary: "临时停电" };
export const ACCOUNT = { normal: "正常", arrears_cut: "欠费停电", closed: "已销户" };
export const ROLES = { agent: "坐席", supervisor: "班长", trainer: "训练师", admin: "管理员" };
export const STATES = { online: "在线", busy: "忙碌", away: "离开", offline: "离线" };
