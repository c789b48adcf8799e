package companion

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
)

// Names of APIs, as in Client.Calls.
const (
	apiSeats         = "msgaudit/get_permit_user_list"
	apiSingleAgree   = "msgaudit/check_single_agree"
	apiRoomAgree     = "msgaudit/check_room_agree"
	apiInternalGroup = "msgaudit/groupchat/get"
	apiRobot         = "msgaudit/get_robot_info"
)

// Edition of the message archive that a seat is licensed for (D91614).
type Edition int

// Editions.
const (
	AnyEdition Edition = 0
	Office     Edition = 1 // 办公版
	Service    Edition = 2 // 服务版
	Enterprise Edition = 3 // 企业版
)

// PermitUserList returns the userids whose messages are archived under an edition,
// or under any (D91614).
func (cl *Client) PermitUserList(ctx context.Context, edition Edition) ([]string, error) {
	body := struct {
		Type Edition `json:"type,omitempty"`
	}{edition}
	var reply struct {
		IDs []string `json:"ids"`
	}
	err := cl.do(ctx, call{api: apiSeats, body: body}, &reply)
	return reply.IDs, err
}

// MaxAgreePairs is how many pairs CheckSingleAgree asks for at most (D91782; WeCom
// answers 301060 to more).
const MaxAgreePairs = 100

// Pair is an employee and a customer.
type Pair struct {
	UserID     string `json:"userid"`
	ExternalID string `json:"exteranalopenid"` // WeCom's spelling
}

// Agree says whether a customer agreed to being archived (D91782).
type Agree string

// Values of Agree. WeCom may add others.
const (
	Agreed        Agree = "Agree"
	Disagreed     Agree = "Disagree"
	DefaultAgreed Agree = "Default_Agree" // not asked, or not answered
)

// Consent is the answer of one customer.
type Consent struct {
	UserID     string `json:"userid"` // empty in a room
	ExternalID string `json:"exteranalopenid"`
	Status     Agree  `json:"agree_status"`
	ChangedAt  int64  `json:"status_change_time"` // Unix s; 0: never
}

// CheckSingleAgree asks which customers have agreed to be archived in talks with
// which employees (D91782). At most MaxAgreePairs at a time.
func (cl *Client) CheckSingleAgree(ctx context.Context, pairs []Pair) ([]Consent, error) {
	if len(pairs) == 0 || len(pairs) > MaxAgreePairs {
		return nil, fmt.Errorf("%s: %d pairs, WeCom takes 1 to %d", apiSingleAgree, len(pairs), MaxAgreePairs)
	}
	body := struct {
		Info []Pair `json:"info"`
	}{pairs}
	return cl.consents(ctx, call{api: apiSingleAgree, body: body})
}

// CheckRoomAgree asks which customers have agreed to be archived in a room (D91782).
func (cl *Client) CheckRoomAgree(ctx context.Context, room string) ([]Consent, error) {
	return cl.consents(ctx, call{api: apiRoomAgree, body: map[string]string{"roomid": room}})
}

func (cl *Client) consents(ctx context.Context, c call) ([]Consent, error) {
	var reply struct {
		Info []Consent `json:"agreeinfo"`
	}
	err := cl.do(ctx, c, &reply)
	return reply.Info, err
}

// InternalGroup is a room without customers.
type InternalGroup struct {
	Name      string `json:"roomname"`
	Creator   string `json:"creator"`
	CreatedAt int64  `json:"room_create_time"` // Unix s
	Notice    string `json:"notice"`
	Members   []struct {
		ID       string `json:"memberid"`
		JoinedAt int64  `json:"jointime"` // Unix s
	} `json:"members"`
}

// InternalGroup asks for a room without customers; wecom.ErrNotInternalGroup (301059)
// if it is one with.
func (cl *Client) InternalGroup(ctx context.Context, room string) (InternalGroup, error) {
	var g InternalGroup
	err := cl.do(ctx, call{api: apiInternalGroup, body: map[string]string{"roomid": room}}, &g)
	return g, err
}

// RobotInfo is a robot.
type RobotInfo struct {
	ID      string `json:"robot_id"`
	Name    string `json:"name"`
	Creator string `json:"creator_userid"`
}

// RobotInfo asks for a robot.
func (cl *Client) RobotInfo(ctx context.Context, id string) (RobotInfo, error) {
	var reply struct {
		Data json.RawMessage `json:"data"`
	}
	if err := cl.do(ctx, call{api: apiRobot, query: url.Values{"robot_id": {id}}}, &reply); err != nil {
		return RobotInfo{}, err
	}
	return robotOf(reply.Data)
}

// robotOf reads what WeCom shows once as an object and once as a list of one.
func robotOf(data json.RawMessage) (robot RobotInfo, err error) {
	var list []RobotInfo
	if err := json.Unmarshal(data, &robot); err == nil {
		return robot, nil
	}
	if err := json.Unmarshal(data, &list); err != nil || len(list) != 1 {
		return RobotInfo{}, fmt.Errorf("%s: %w: no robot in it", apiRobot, ErrReply)
	}
	return list[0], nil
}
