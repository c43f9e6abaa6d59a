"""How each known feed's venue grants and refuses a symbol, as it documents it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fastingest.config.catalog import known_text
from tests.peers.venue import Desk

__all__ = ["VENUES", "KnownVenue", "config_of"]


class KnownVenue(NamedTuple):
    """What a venue says; ``{symbol}`` stands for the symbol.

    :param granted: two symbols that it has.
    :param unknown: one that it has not.
    :param finds: finds symbols in what it is sent.
    :param grants: its reply to one that it has; None: it says nothing.
    :param refuses: its reply to one that it has not.
    :param row: a message that brings a row.
    """

    granted: tuple[str, str]
    unknown: str
    finds: str
    grants: str | None
    refuses: str
    row: str

    @property
    def symbols(self) -> tuple[str, str, str]:
        """What is asked for; the unknown one is in the middle."""
        return self.granted[0], self.unknown, self.granted[1]

    @property
    def desk(self) -> Desk:
        """Grants and refuses so."""
        return Desk(re.compile(self.finds), self.grants, {self.unknown: self.refuses})


def config_of(name: str, url: str, symbols: Sequence[str], out: Path) -> str:
    """A known feed as a part of a TOML file, with another URL, symbols and output."""
    text = known_text(name).replace("[symbols]", "[feed.symbols]")
    for key, value in (("url", url), ("default", list(symbols))):
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {json.dumps(value)}", text)
        assert count == 1
    return f"[[feed]]\nout = {json.dumps(str(out))}\n{text}\n"


VENUES = {
    "bitfinex-trades": KnownVenue(
        ("tBTCUSD", "tETHUSD"),
        "tLUNAUSD",
        r'"symbol":"(\w+)"',
        '{"event":"subscribed","channel":"trades","chanId":"{symbol}","symbol":"{symbol}"}',
        '{"channel":"trades","symbol":"{symbol}","event":"error","msg":"symbol: invalid",'
        '"code":10300}',
        '["{symbol}","te",[{n},1574694478808,0.005,7245.3]]',
    ),
    "bitget-trades": KnownVenue(
        ("BTCUSDT", "ETHUSDT"),
        "LUNAUSDT",
        r'"instId":"(\w+)"',
        '{"event":"subscribe","arg":{"instType":"SPOT","channel":"trade","instId":"{symbol}"}}',
        '{"event":"error","arg":{"instType":"SPOT","channel":"trade","instId":"{symbol}"},'
        '"code":30001,"msg":"instType:SPOT,channel:trade,instId:{symbol} doesn\'t exist",'
        '"op":"subscribe"}',
        '{"action":"update","arg":{"instType":"SPOT","channel":"trade","instId":"{symbol}"},'
        '"data":[{"ts":"1695709836822","price":"26293.4","size":"0.0013","side":"sell","tradeId":'
        '"{n}"}],"ts":1695711091682}',
    ),
    "bitmex-trades": KnownVenue(
        ("XBTUSD", "ETHUSD"),
        "LUNAUSD",
        r"trade:(\w+)",
        '{"success":true,"subscribe":"trade:{symbol}","request":{"op":"subscribe","args":'
        '["trade:{symbol}"]}}',
        '{"status":400,"error":"The symbol {symbol} is not available.","meta":{},"request":{"op":'
        '"subscribe","args":["trade:{symbol}"]}}',
        '{"table":"trade","action":"insert","data":[{"timestamp":"2024-11-24T08:15:38.704Z",'
        '"symbol":"{symbol}","side":"Sell","size":100,"price":98570.9,"trdMatchID":"{n}"}]}',
    ),
    "bitstamp-trades": KnownVenue(
        ("btcusd", "ethusd"),
        "lunausd",
        r"live_trades_(\w+)",
        '{"event":"bts:subscription_succeeded","channel":"live_trades_{symbol}","data":{}}',
        '{"event":"bts:error","channel":"","data":{"message":'
        '"Incorrect channel: live_trades_{symbol}"}}',
        '{"data":{"id":1,"amount_str":"0.05","price_str":"16500.10","type":0,'
        '"microtimestamp":"1605535803383000"},"channel":"live_trades_{symbol}","event":"trade"}',
    ),
    "bybit-liquidations": KnownVenue(
        ("BTCUSDT", "ETHUSDT"),
        "LUNAUSDT",
        r"allLiquidation\.(\w+)",
        '{"success":true,"ret_msg":"subscribe","conn_id":"2324d924","req_id":"","op":"subscribe"}',
        '{"success":false,"ret_msg":"error:handler not found,topic:allLiquidation.{symbol}",'
        '"conn_id":"2324d924","req_id":"","op":"subscribe"}',
        '{"topic":"allLiquidation.{symbol}","type":"snapshot","ts":1739502303204,"data":[{"T":'
        '1739502302929,"s":"{symbol}","S":"Sell","v":"0.120","p":"96500.50"}]}',
    ),
    "bybit-orderbook": KnownVenue(
        ("BTCUSDT", "ETHUSDT"),
        "LUNAUSDT",
        r"orderbook\.50\.(\w+)",
        '{"success":true,"ret_msg":"subscribe","conn_id":"2324d924","req_id":"","op":"subscribe"}',
        '{"success":false,"ret_msg":"error:handler not found,topic:orderbook.50.{symbol}",'
        '"conn_id":"2324d924","req_id":"","op":"subscribe"}',
        '{"topic":"orderbook.50.{symbol}","ts":1687940967466,"type":"delta","data":{"s":"{symbol}",'
        '"b":[],"a":[["30249.30","0"]],"u":{n},"seq":{n}},"cts":1687940967464}',
    ),
    "bybit-trades": KnownVenue(
        ("BTCUSDT", "ETHUSDT"),
        "LUNAUSDT",
        r"publicTrade\.(\w+)",
        '{"success":true,"ret_msg":"subscribe","conn_id":"2324d924","req_id":"","op":"subscribe"}',
        '{"success":false,"ret_msg":"error:handler not found,topic:publicTrade.{symbol}",'
        '"conn_id":"2324d924","req_id":"","op":"subscribe"}',
        '{"topic":"publicTrade.{symbol}","ts":1672304486868,"type":"snapshot","data":[{"T":'
        '1672304486865,"s":"{symbol}","S":"Buy","v":"0.001","p":"16578.50","i":"20f43950"}]}',
    ),
    "coinbase-advanced-trades": KnownVenue(
        ("BTC-USD", "ETH-USD"),
        "LUNA-USD",
        r'"product_ids":\["([\w-]+)"\]',
        '{"channel":"subscriptions","client_id":"","timestamp":"2023-02-09T20:32:50Z",'
        '"sequence_num":0,"events":[{"subscriptions":{"market_trades":["{symbol}"]}}]}',
        '{"type":"error","message":"product not found: {symbol}"}',
        '{"channel":"market_trades","client_id":"","timestamp":"2023-02-09T20:19:35.6Z",'
        '"sequence_num":{n},"events":[{"type":"update","trades":[{"trade_id":"{n}","product_id":'
        '"{symbol}","price":"1260.02","size":"2","side":"BUY","time":"2023-02-09T20:19:35Z"}]}]}',
    ),
    "coinbase-level2": KnownVenue(
        ("BTC-USD", "ETH-USD"),
        "LUNA-USD",
        r'"product_ids":\["([\w-]+)"\]',
        '{"channel":"subscriptions","client_id":"","timestamp":"2023-02-09T20:32:50Z",'
        '"sequence_num":0,"events":[{"subscriptions":{"level2":["{symbol}"]}}]}',
        '{"type":"error","message":"product not found: {symbol}"}',
        '{"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50.9Z","sequence_num":'
        '{n},"events":[{"type":"update","product_id":"{symbol}","updates":[{"side":"offer",'
        '"event_time":"2023-02-09T20:32:50.8Z","price_level":"21922","new_quantity":"0"}]}]}',
    ),
    "coinbase-matches": KnownVenue(
        ("BTC-USD", "ETH-USD"),
        "LUNA-USD",
        r'"product_ids":\["([\w-]+)"\]',
        '{"type":"subscriptions","channels":[{"name":"matches","product_ids":["{symbol}"]}]}',
        '{"type":"error","message":"Failed to subscribe",'
        '"reason":"{symbol} is not a valid product"}',
        '{"type":"match","trade_id":1,"sequence":{n},"time":"2014-11-07T08:19:28Z",'
        '"product_id":"{symbol}","size":"1","price":"3300.00","side":"buy"}',
    ),
    "coinbase-tickers": KnownVenue(
        ("BTC-USD", "ETH-USD"),
        "LUNA-USD",
        r'"product_ids":\["([\w-]+)"\]',
        '{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["{symbol}"]}]}',
        '{"type":"error","message":"Failed to subscribe",'
        '"reason":"{symbol} is not a valid product"}',
        '{"type":"ticker","sequence":{n},"product_id":"{symbol}","price":"1285.22"}',
    ),
    "crypto-com-trades": KnownVenue(
        ("BTC_USDT", "ETH_USDT"),
        "LUNA_USDT",
        r"trade\.(\w+)",
        '{"id":1,"method":"subscribe","code":0}',
        '{"id":1,"method":"subscribe","code":40003,"message":"Unknown symbol"}',
        '{"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"{symbol}",'
        '"subscription":"trade.{symbol}","channel":"trade","data":[{"d":"2030407068","t":'
        '1613581138462,"p":"51327.500000","q":"0.000100","s":"SELL","i":"{symbol}"}]}}',
    ),
    "deribit-tickers": KnownVenue(
        ("BTC-PERPETUAL", "ETH-PERPETUAL"),
        "LUNA-PERPETUAL",
        r"ticker\.([\w-]+)\.100ms",
        '{"jsonrpc":"2.0","id":1,"result":["ticker.{symbol}.100ms"],"testnet":false}',
        '{"jsonrpc":"2.0","id":1,"result":[],"testnet":false}',
        '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"ticker.{symbol}.100ms",'
        '"data":{"timestamp":1590484512188,"state":"open","mark_price":8950.0,"instrument_name":'
        '"{symbol}"}}}',
    ),
    "deribit-trades": KnownVenue(
        ("BTC-PERPETUAL", "ETH-PERPETUAL"),
        "LUNA-PERPETUAL",
        r"trades\.([\w-]+)\.100ms",
        '{"jsonrpc":"2.0","id":1,"result":["trades.{symbol}.100ms"],"testnet":false}',
        '{"jsonrpc":"2.0","id":1,"result":[],"testnet":false}',
        '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.{symbol}.100ms",'
        '"data":[{"trade_seq":1,"trade_id":"1","timestamp":1590484512188,"tick_direction":2,'
        '"price":8950.0,"instrument_name":"{symbol}","direction":"sell","amount":10.0}]}}',
    ),
    "finnhub-trades": KnownVenue(
        ("AAPL", "BINANCE:BTCUSDT"),
        "OANDA:LUNA",
        r'"symbol":"([\w:]+)"',
        None,
        '{"msg":"Invalid symbol {symbol}","type":"error"}',
        '{"data":[{"p":7296.89,"s":"{symbol}","t":1575526691134,"v":0.01}],"type":"trade"}',
    ),
    "gateio-trades": KnownVenue(
        ("BTC_USDT", "ETH_USDT"),
        "LUNA_USDT",
        r'"payload":\["(\w+)"\]',
        '{"time":1606292218,"time_ms":1606292218231,"channel":"spot.trades","event":"subscribe",'
        '"result":{"status":"success"}}',
        '{"time":1606292218,"time_ms":1606292218231,"channel":"spot.trades","event":"subscribe",'
        '"error":{"code":2,"message":"unknown currency pair {symbol}"},"result":null}',
        '{"time":1606292218,"channel":"spot.trades","event":"update","result":{"id":{n},'
        '"create_time":1606292218,"create_time_ms":"1606292218213.4578","side":"sell",'
        '"currency_pair":"{symbol}","amount":"16.47","price":"0.4705"}}',
    ),
    "gemini-trades": KnownVenue(
        ("btcusd", "ethusd"),
        "lunausd",
        r'"(\w+)@trade"',
        '{"id":"{symbol}","status":200}',
        '{"id":"{symbol}","status":400,"error":{"code":-1013,"msg":"Invalid stream"}}',
        '{"E":1751508438600117161,"s":"{symbol}","t":{n},"p":"45000.5","q":"0.1","m":true}',
    ),
    "htx-trades": KnownVenue(
        ("btcusdt", "ethusdt"),
        "lunausdt",
        r"market\.(\w+)\.trade",
        '{"id":"{symbol}","status":"ok","subbed":"market.{symbol}.trade.detail","ts":1}',
        '{"id":"{symbol}","status":"error","err-code":"bad-request",'
        '"err-msg":"invalid symbol {symbol}","ts":1}',
        '{"ch":"market.{symbol}.trade.detail","ts":1630994963175,"tick":{"id":1,"data":[{"id":'
        '137005445109359286410323766,"ts":1630994963173,"tradeId":1,"amount":0.006754,'
        '"price":52648.62,"direction":"buy"}]}}',
    ),
    "hyperliquid-trades": KnownVenue(
        ("BTC", "ETH"),
        "LUNA",
        r'"coin":"(\w+)"',
        '{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":'
        '"trades","coin":"{symbol}"}}}',
        '{"channel":"error","data":"Invalid subscription {\\"type\\":\\"trades\\",'
        '\\"coin\\":\\"{symbol}\\"}"}',
        '{"channel":"trades","data":[{"coin":"{symbol}","side":"B","px":"98450.5","sz":"0.00012",'
        '"time":1703875200123,"hash":"0x0a1b","tid":{n},"users":["0xaaaa","0xbbbb"]}]}',
    ),
    "kraken-book": KnownVenue(
        ("BTC/USD", "ETH/USD"),
        "LUNA/USD",
        r'"(\w+/USD)"',
        '{"method":"subscribe","result":{"channel":"book","depth":100,"symbol":"{symbol}"},'
        '"success":true}',
        '{"error":"Currency pair not supported {symbol}","method":"subscribe","success":false,'
        '"symbol":"{symbol}"}',
        '{"channel":"book","type":"update","data":[{"symbol":"{symbol}","bids":[{"price":0.5117,'
        '"qty":40.0}],"asks":[],"checksum":{n},"timestamp":"2023-10-06T17:35:55.440295Z"}]}',
    ),
    "kraken-tickers": KnownVenue(
        ("BTC/USD", "ETH/USD"),
        "LUNA/USD",
        r'"(\w+/USD)"',
        '{"method":"subscribe","result":{"channel":"ticker","symbol":"{symbol}"},"success":true}',
        '{"error":"Currency pair not supported {symbol}","method":"subscribe","success":false,'
        '"symbol":"{symbol}"}',
        '{"channel":"ticker","type":"update","data":[{"symbol":"{symbol}","bid":1.5,"bid_qty":2.5,'
        '"ask":1.6,"ask_qty":3.2,"last":1.5,"volume":{n},"vwap":1.5,"low":1.4,"high":1.7,"change":'
        '0.1,"change_pct":0.24}]}',
    ),
    "kraken-trades": KnownVenue(
        ("BTC/USD", "ETH/USD"),
        "LUNA/USD",
        r'"(\w+/USD)"',
        '{"method":"subscribe","result":{"channel":"trade","symbol":"{symbol}"},"success":true}',
        '{"error":"Currency pair not supported {symbol}","method":"subscribe","success":false,'
        '"symbol":"{symbol}"}',
        '{"channel":"trade","type":"update","data":[{"symbol":"{symbol}","side":"sell",'
        '"price":0.5117,"qty":40.0,"ord_type":"market","trade_id":{n},'
        '"timestamp":"2023-09-25T07:49:37.708706Z"}]}',
    ),
    "kraken-v1-trades": KnownVenue(
        ("XBT/USD", "ETH/USD"),
        "LUNA/USD",
        r'"(\w+/USD)"',
        '{"channelID":337,"channelName":"trade","event":"subscriptionStatus","pair":"{symbol}",'
        '"status":"subscribed","subscription":{"name":"trade"}}',
        '{"errorMessage":"Currency pair not supported {symbol}","event":"subscriptionStatus",'
        '"pair":"{symbol}","status":"error","subscription":{"name":"trade"}}',
        '[337,[["5541.20000","0.15850568","1534614057.321597","s","l",""]],"trade","{symbol}"]',
    ),
    "kucoin-matches": KnownVenue(
        ("BTC-USDT", "ETH-USDT"),
        "LUNA-USDT",
        r"/market/match:([\w-]+)",
        '{"id":"{symbol}","type":"ack"}',
        '{"id":"{symbol}","type":"error","code":404,"data":"topic /market/match:{symbol} is not '
        'found"}',
        '{"topic":"/market/match:{symbol}","type":"message","subject":"trade.l3match","data":{'
        '"price":"67523","sequence":"{n}","side":"buy","size":"0.003","symbol":"{symbol}",'
        '"time":"1729843222921000000","tradeId":"{n}","type":"match"}}',
    ),
    "okx-books": KnownVenue(
        ("BTC-USDT", "ETH-USDT"),
        "LUNA-USDT",
        r'"instId":"([\w-]+)"',
        '{"event":"subscribe","arg":{"channel":"books","instId":"{symbol}"},"connId":"accb8e21"}',
        '{"event":"error","code":"60018","msg":"Wrong URL or channel:books,instId:{symbol} '
        'doesn\'t exist. Please use the correct URL, channel and parameters","connId":"accb8e21"}',
        '{"arg":{"channel":"books","instId":"{symbol}"},"action":"update","data":[{"asks":[],'
        '"bids":[["390.5","0.25","0","1"]],"ts":"1597026383190","prevSeqId":{n},"seqId":{n}}]}',
    ),
    "okx-trades": KnownVenue(
        ("BTC-USDT", "ETH-USDT"),
        "LUNA-USDT",
        r'"instId":"([\w-]+)"',
        '{"event":"subscribe","arg":{"channel":"trades","instId":"{symbol}"},"connId":"accb8e21"}',
        '{"event":"error","code":"60018","msg":"Wrong URL or channel:trades,instId:{symbol} '
        'doesn\'t exist. Please use the correct URL, channel and parameters","connId":"accb8e21"}',
        '{"arg":{"channel":"trades","instId":"{symbol}"},"data":[{"instId":"{symbol}","tradeId":'
        '"{n}","px":"42219.9","sz":"0.12","side":"buy","ts":"1630048897897","count":"3"}]}',
    ),
}
"""Those that refuse symbol by symbol."""
