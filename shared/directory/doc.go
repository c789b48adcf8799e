// Package directory is the stage that learns names: of the people, robots and rooms
// that occur in the archive, who has a seat, and who agreed to being archived. It asks WeCom's companion API,
// stores each answer in locked parts below directory/, and then puts it into the
// index, where every name stands with the time in which it was seen.
//
// It has a route out and so must not read messages: it sees ids from the index, and
// secrets, and nothing else.
//
// Only ids that occur in the archive are asked for. What WeCom lists beyond them is
// dropped. When:
//
//   - An id that was never asked for: at once, by every run. If many customers are new,
//     their followers' lists are read, 100 customers a call, as long as that takes
//     fewer calls than asking one by one; the rest is asked for one by one.
//   - Seats: daily.
//   - Customers: a seventh of the employees each day, whose lists are read, 100
//     customers a call. One who is in nobody's list is asked for alone every 28 days.
//   - Consent: of a pair or room with somebody outside at once, 100 pairs a call, and then
//     every 28 days; in between, messages (agree, disagree) and WeCom's calls
//     (msg_audit_approved) bring what changes.
//   - Employees, rooms, robots, and ids that WeCom did not know: every 28 days. An id's
//     day follows from its hash, so that each day has its share and none is lost when
//     a run breaks off.
//
// So a day without anybody new costs less than a twentieth of the calls that learning
// all names does (TestCalls).
//
// Without the second secret, of the company's own app, employees, customers and rooms
// with customers keep their ids; internal rooms, robots, seats and consent are still learned.
// One that WeCom does not accept is tried by daily runs only: repeating it bans the IP,
// which is the puller's as well.
//
// Nothing here holds up the archive of messages: it is another function, and what
// fails is tried again by the next run.
package directory
