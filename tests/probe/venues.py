"""What venues say beside data, in the forms that they document, and what a probe makes of it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["VENUES", "ProbedVenue"]


class ProbedVenue(NamedTuple):
    """A venue's subscriptions and messages.

    :param sent: the subscriptions.
    :param messages: each with what it is: a letter for ``reply``, ``refusal`` (no), ``ping``,
        ``sign`` of life, or ``data``.
    :param replies: the conditions of the reply to each subscription; None: there is none.
    :param refused: those of the refusals.
    :param guessed: those that are guessed where no refusal has come.
    :param answers: what is answered, and to what.
    """

    sent: list[str]
    messages: list[tuple[str, str]]
    replies: list[list[str] | None]
    refused: list[list[str]]
    guessed: list[list[str]]
    answers: list[tuple[list[str], str]] = []  # noqa: RUF012 - nothing changes it


VENUES = {
    "binance": ProbedVenue(
        ['{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":1}'],
        [
            ("reply", '{"result":null,"id":1}'),
            ("data", '{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":1,"p":"0.001","q":"100"}'),
            ("refusal", '{"error":{"code":2,"msg":"Invalid request: unknown variant"},"id":1}'),
            ("refusal", '{"code":2,"msg":"Invalid request: property name must be a string"}'),
        ],
        [["$.id=1"]],
        [["$.error"], ["$.code", "$.msg"]],
        [["$.error"]],
    ),
    "okx": ProbedVenue(
        ['{"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]}'],
        [
            (
                "reply",
                '{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},'
                '"connId":"a4d3ae55"}',
            ),
            (
                "data",
                '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT",'
                '"tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy",'
                '"ts":"1630048897897","count":"3"}]}',
            ),
            (
                "refusal",
                '{"event":"error","code":"60012","msg":"Invalid request: {\\"op\\": '
                '\\"subscribe\\"}","connId":"a4d3ae55"}',
            ),
        ],
        [["$.event=subscribe"]],
        [["$.event=error"]],
        [["$.event=error"]],
    ),
    "bybit": ProbedVenue(
        ['{"op":"subscribe","args":["publicTrade.BTCUSDT"]}'],
        [
            (
                "reply",
                '{"success":true,"ret_msg":"subscribe","conn_id":"2324d924","req_id":"",'
                '"op":"subscribe"}',
            ),
            (
                "data",
                '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{'
                '"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","i":"20f4",'
                '"BT":false}]}',
            ),
            (
                "sign",
                '{"success":true,"ret_msg":"pong","conn_id":"2324d924","req_id":"","op":"ping"}',
            ),
            (
                "refusal",
                '{"success":false,"ret_msg":"error:handler not found,topic:x","conn_id":"2324d924",'
                '"req_id":"","op":"subscribe"}',
            ),
        ],
        [["$.op=subscribe", "$.success=true"]],
        [["$.success=false"]],
        [["$.success=false"]],
    ),
    "kraken v1": ProbedVenue(
        ['{"event":"subscribe","pair":["XBT/USD"],"subscription":{"name":"trade"}}'],
        [
            (
                "sign",
                '{"connectionID":8628615390848610000,"event":"systemStatus","status":"online",'
                '"version":"1.0.0"}',
            ),
            (
                "reply",
                '{"channelID":10001,"channelName":"trade","event":"subscriptionStatus",'
                '"pair":"XBT/USD","status":"subscribed","subscription":{"name":"trade"}}',
            ),
            (
                "data",
                '[0,[["5541.20000","0.15850568","1534614057.321597","s","l",""]],"trade","XBT/USD"]',
            ),
            ("sign", '{"event":"heartbeat"}'),
            (
                "refusal",
                '{"errorMessage":"Currency pair not supported XXX/USD","event":'
                '"subscriptionStatus","pair":"XXX/USD","status":"error","subscription":'
                '{"name":"trade"}}',
            ),
        ],
        [["$.event=subscriptionStatus", "$.status=subscribed"]],
        [["$.event=subscriptionStatus", "$.status=error"]],
        [["$.event=subscriptionStatus", "$.status=error"], ["$.event=error"]],
    ),
    "kraken v2": ProbedVenue(
        ['{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","ETH/USD"]}}'],
        [
            (
                "sign",
                '{"channel":"status","data":[{"api_version":"v2","connection_id":'
                '12393906104898154338,"system":"online","version":"2.0.4"}],"type":"update"}',
            ),
            (
                "reply",
                '{"method":"subscribe","result":{"channel":"trade","snapshot":true,"symbol":'
                '"BTC/USD"},"success":true,"time_in":"2023-09-25T09:04:31.742599Z",'
                '"time_out":"2023-09-25T09:04:31.742648Z"}',
            ),
            (
                "reply",
                '{"method":"subscribe","result":{"channel":"trade","snapshot":true,"symbol":'
                '"ETH/USD"},"success":true,"time_in":"2023-09-25T09:04:31.742599Z",'
                '"time_out":"2023-09-25T09:04:31.742649Z"}',
            ),
            (
                "data",
                '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell",'
                '"price":0.5117,"qty":40.0,"ord_type":"market","trade_id":4665906,'
                '"timestamp":"2023-09-25T07:49:37.708706Z"}]}',
            ),
            ("sign", '{"channel":"heartbeat"}'),
            (
                "refusal",
                '{"error":"Currency pair not supported XXX/USD","method":"subscribe",'
                '"success":false,"symbol":"XXX/USD","time_in":"2023-09-25T09:04:31.742599Z"}',
            ),
        ],
        [["$.method=subscribe", "$.success=true"]],
        [["$.success=false"]],
        [["$.success=false"]],
    ),
    "coinbase": ProbedVenue(
        ['{"type":"subscribe","product_ids":["BTC-USD"],"channels":["matches","heartbeat"]}'],
        [
            (
                "reply",
                '{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"]},'
                '{"name":"heartbeat","product_ids":["BTC-USD"]}]}',
            ),
            (
                "sign",
                '{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD",'
                '"time":"2014-11-07T08:19:28.464459Z"}',
            ),
            (
                "data",
                '{"type":"match","trade_id":10,"sequence":50,"time":"2014-11-07T08:19:27.028459Z",'
                '"product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}',
            ),
            (
                "refusal",
                '{"type":"error","message":"Failed to subscribe","reason":"X is not a product"}',
            ),
        ],
        [["$.type=subscriptions"]],
        [["$.type=error"]],
        [["$.type=error"]],
    ),
    "bitfinex": ProbedVenue(
        ['{"event":"subscribe","channel":"trades","symbol":"tBTCUSD"}'],
        [
            ("sign", '{"event":"info","version":2,"serverId":"d6e9","platform":{"status":1}}'),
            (
                "reply",
                '{"event":"subscribed","channel":"trades","chanId":19111,"symbol":"tBTCUSD",'
                '"pair":"BTCUSD"}',
            ),
            ("data", "[19111,[[401597393,1574694475039,0.005,7244.9]]]"),
            ("data", '[19111,"te",[401597395,1574694478808,0.005,7245.3]]'),
            ("sign", '[19111,"hb"]'),
            (
                "refusal",
                '{"channel":"trades","symbol":"tXXX","event":"error","msg":"symbol: invalid",'
                '"code":10300,"pair":"XXX"}',
            ),
        ],
        [["$.event=subscribed"]],
        [["$.event=error"]],
        [["$.event=error"]],
    ),
    "gate.io": ProbedVenue(
        ['{"time":1606292218,"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"]}'],
        [
            (
                "reply",
                '{"time":1606292218,"time_ms":1606292218231,"channel":"spot.trades",'
                '"event":"subscribe","error":null,"result":{"status":"success"}}',
            ),
            (
                "data",
                '{"time":1606292218,"time_ms":1606292218231,"channel":"spot.trades",'
                '"event":"update","result":{"id":309143071,"create_time":1606292218,"side":"sell",'
                '"currency_pair":"BTC_USDT","amount":"16.4700000000","price":"0.4705000000"}}',
            ),
            (
                "sign",
                '{"time":1545404023,"channel":"spot.pong","event":"","error":null,"result":null}',
            ),
            (
                "refusal",
                '{"time":1606292218,"channel":"spot.trades","event":"subscribe","error":'
                '{"code":2,"message":"unknown currency pair: X"},"result":null}',
            ),
        ],
        [["$.event=subscribe"]],
        [["$.error"]],
        [["$.error"]],
    ),
    "kucoin": ProbedVenue(
        [
            '{"id":1545910660739,"type":"subscribe","topic":"/market/match:BTC-USDT","response":true}'
        ],
        [
            ("sign", '{"id":"hQvf8jkno","type":"welcome"}'),
            ("reply", '{"id":"1545910660739","type":"ack"}'),
            (
                "data",
                '{"type":"message","topic":"/market/match:BTC-USDT","subject":"trade.l3match",'
                '"data":{"sequence":"1545896669145","type":"match","symbol":"BTC-USDT",'
                '"side":"buy","price":"0.08200000000000000000","size":"0.01022222000000000000",'
                '"tradeId":"5c24c5da03aa673885cd67aa","time":"1545913818099033203"}}',
            ),
            ("sign", '{"id":"1545910590801","type":"pong"}'),
            (
                "refusal",
                '{"id":"1545910660740","type":"error","code":404,"data":"topic x is not found"}',
            ),
        ],
        [["$.id=1545910660739", "$.type=ack"]],
        [["$.type=error"]],
        [["$.type=error"]],
    ),
    "bitget": ProbedVenue(
        [
            '{"op":"subscribe","args":[{"instType":"SPOT","channel":"trade","instId":"BTCUSDT"},'
            '{"instType":"SPOT","channel":"trade","instId":"ETHUSDT"}]}'
        ],
        [
            (
                "reply",
                '{"event":"subscribe","arg":{"instType":"SPOT","channel":"trade",'
                '"instId":"BTCUSDT"}}',
            ),
            (
                "reply",
                '{"event":"subscribe","arg":{"instType":"SPOT","channel":"trade",'
                '"instId":"ETHUSDT"}}',
            ),
            (
                "data",
                '{"action":"snapshot","arg":{"instType":"SPOT","channel":"trade",'
                '"instId":"BTCUSDT"},"data":[{"ts":"1695709835822","price":"26293.4",'
                '"size":"0.0013","side":"buy","tradeId":"1000000000"}],"ts":1695711090682}',
            ),
            (
                "refusal",
                '{"event":"error","arg":{"instType":"SPOT","channel":"trade","instId":"X"},'
                '"code":30001,"msg":"instType:SPOT,channel:trade,instId:X doesn\'t exist"}',
            ),
        ],
        [["$.event=subscribe"]],
        [["$.event=error"]],
        [["$.event=error"]],
    ),
    "htx": ProbedVenue(
        ['{"sub":"market.btcusdt.trade.detail","id":"id1"}'],
        [
            (
                "reply",
                '{"id":"id1","status":"ok","subbed":"market.btcusdt.trade.detail",'
                '"ts":1489474081631}',
            ),
            (
                "data",
                '{"ch":"market.btcusdt.trade.detail","ts":1630994963175,"tick":{"id":137005445109,'
                '"ts":1630994963173,"data":[{"id":137005445109359286410323766,"ts":1630994963173,'
                '"tradeId":102523573486,"amount":0.006754,"price":52648.62,"direction":"buy"}]}}',
            ),
            ("ping", '{"ping":1492420473027}'),
            (
                "refusal",
                '{"status":"error","ts":1494326028889,"id":"id2","err-code":"bad-request",'
                '"err-msg":"invalid topic market.x.trade.detail"}',
            ),
        ],
        [["$.id=id1", "$.status=ok"]],
        [["$.status=error"]],
        [["$.status=error"]],
        [(["$.ping"], '{"pong":{$.ping}}')],
    ),
    "deribit": ProbedVenue(
        [
            '{"jsonrpc":"2.0","id":42,"method":"public/subscribe","params":'
            '{"channels":["trades.BTC-PERPETUAL.100ms"]}}'
        ],
        [
            (
                "reply",
                '{"jsonrpc":"2.0","id":42,"result":["trades.BTC-PERPETUAL.100ms"],'
                '"usIn":1590484512180000,"usOut":1590484512180300,"usDiff":300,"testnet":false}',
            ),
            (
                "data",
                '{"jsonrpc":"2.0","method":"subscription","params":{"channel":'
                '"trades.BTC-PERPETUAL.100ms","data":[{"trade_seq":30289442,"trade_id":"48079269",'
                '"timestamp":1590484512188,"price":8950.0,"instrument_name":"BTC-PERPETUAL",'
                '"amount":10.0,"direction":"sell"}]}}',
            ),
            ("sign", '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'),
            (
                "refusal",
                '{"jsonrpc":"2.0","id":42,"error":{"code":-32602,"message":"Invalid params"},'
                '"usIn":1590484512180000,"usOut":1590484512180300,"usDiff":300}',
            ),
        ],
        [["$.id=42"]],
        [["$.error"]],
        [["$.error"], ["$.id", "$.result=[]"]],
        [
            (
                ["$.method=heartbeat", "$.params.type=test_request"],
                '{"jsonrpc":"2.0","id":0,"method":"public/test"}',
            )
        ],
    ),
    "hyperliquid": ProbedVenue(
        ['{"method":"subscribe","subscription":{"type":"trades","coin":"SOL"}}'],
        [
            (
                "reply",
                '{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":'
                '{"type":"trades","coin":"SOL"}}}',
            ),
            (
                "data",
                '{"channel":"trades","data":[{"coin":"SOL","side":"A","px":"160.24","sz":"0.5",'
                '"time":1720000000000,"hash":"0x0","tid":1}]}',
            ),
            ("sign", '{"channel":"pong"}'),
            ("refusal", '{"channel":"error","data":"Invalid subscription {\\"coin\\":\\"X\\"}"}'),
        ],
        [["$.channel=subscriptionResponse"]],
        [["$.channel=error"]],
        [["$.channel=error"]],
    ),
    "alpaca": ProbedVenue(
        [
            '{"action":"auth","key":"${KEY}","secret":"${SECRET}"}',
            '{"action":"subscribe","trades":["AAPL"]}',
        ],
        [
            ("sign", '[{"T":"success","msg":"connected"}]'),
            ("reply", '[{"T":"success","msg":"authenticated"}]'),
            ("reply", '[{"T":"subscription","trades":["AAPL"],"quotes":[],"bars":[]}]'),
            (
                "data",
                '[{"T":"t","i":96921,"S":"AAPL","x":"D","p":126.55,"s":1,'
                '"t":"2021-02-22T15:51:44.208Z","c":["@","I"],"z":"C"}]',
            ),
            ("refusal", '[{"T":"error","code":405,"msg":"symbol limit exceeded"}]'),
        ],
        [["$[*].T=success", "$[*].msg=authenticated"], ["$[*].T=subscription"]],
        [["$[*].T=error"]],
        [["$[*].T=error"]],
    ),
    "polygon": ProbedVenue(
        [
            '{"action":"auth","params":"${KEY}"}',
            '{"action":"subscribe","params":"T.AAPL,T.MSFT"}',
        ],
        [
            ("sign", '[{"ev":"status","status":"connected","message":"Connected Successfully"}]'),
            ("reply", '[{"ev":"status","status":"auth_success","message":"authenticated"}]'),
            (
                "reply",
                '[{"ev":"status","status":"success","message":"subscribed to: T.AAPL"},'
                '{"ev":"status","status":"success","message":"subscribed to: T.MSFT"}]',
            ),
            (
                "data",
                '[{"ev":"T","sym":"MSFT","x":4,"i":"12345","z":3,"p":114.125,"s":100,"c":[0,12],'
                '"t":1536036818784,"q":3681328}]',
            ),
            ("refusal", '[{"ev":"status","status":"error","message":"not authorized"}]'),
        ],
        [
            ["$[*].ev=status", "$[*].status=auth_success", "$[*].message=authenticated"],
            ["$[*].ev=status", "$[*].status=success"],
        ],
        [["$[*].ev=status", "$[*].status=error"]],
        [
            ["$[*].ev=status", "$[*].status=auth_failed"],
            ["$[*].ev=status", "$[*].status=error"],
        ],
    ),
    "crypto.com": ProbedVenue(
        ['{"id":1,"method":"subscribe","params":{"channels":["trade.BTC_USDT"]}}'],
        [
            ("reply", '{"id":1,"method":"subscribe","code":0}'),
            (
                "data",
                '{"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"BTC_USDT",'
                '"subscription":"trade.BTC_USDT","channel":"trade","data":[{"d":"2030407068",'
                '"t":1613581138462,"p":"51327.500000","q":"0.000100","s":"SELL","i":"BTC_USDT"}]}}',
            ),
            ("sign", '{"id":1587523073344,"method":"public/heartbeat","code":0}'),
            (
                "refusal",
                '{"id":1,"method":"subscribe","code":40003,"message":"Unknown symbol",'
                '"channel":"trade.XXX_USDT"}',
            ),
        ],
        [["$.id=1", "$.method=subscribe", "$.code=0"]],
        [["$.method=subscribe", "$.code=40003"]],
        [["$.method=subscribe", "$.code", "$.code!=0"]],
        [
            (
                ["$.method=public/heartbeat"],
                '{"id":{$.id},"method":"public/respond-heartbeat"}',
            )
        ],
    ),
    "bitstamp": ProbedVenue(
        ['{"event":"bts:subscribe","data":{"channel":"live_trades_btcusd"}}'],
        [
            (
                "reply",
                '{"event":"bts:subscription_succeeded","channel":"live_trades_btcusd","data":{}}',
            ),
            (
                "data",
                '{"data":{"id":133391203,"timestamp":"1605535803","amount":0.05,"price":16500.1,'
                '"type":0},"channel":"live_trades_btcusd","event":"trade"}',
            ),
            ("sign", '{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}'),
            (
                "refusal",
                '{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad string."}}',
            ),
        ],
        [["$.event=bts:subscription_succeeded"]],
        [["$.event=bts:error"]],
        [["$.event=bts:error"]],
    ),
    "bitmex": ProbedVenue(
        ['{"op":"subscribe","args":["trade:XBTUSD"]}'],
        [
            (
                "reply",
                '{"success":true,"subscribe":"trade:XBTUSD","request":{"op":"subscribe",'
                '"args":["trade:XBTUSD"]}}',
            ),
            (
                "data",
                '{"table":"trade","action":"insert","data":[{"timestamp":'
                '"2023-01-01T00:00:00.000Z","symbol":"XBTUSD","side":"Buy","size":100,'
                '"price":16500.5}]}',
            ),
            (
                "refusal",
                '{"status":400,"error":"Unknown table: x","meta":{},"request":{"op":"subscribe",'
                '"args":["x"]}}',
            ),
        ],
        [["$.success=true"]],
        [["$.error"]],
        [["$.success=false"], ["$.error"]],
    ),
}
