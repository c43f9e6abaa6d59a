// The practical limit of what this machine can do with such a feed, for comparing: a WebSocket
// client that does nothing but turn {"symbol", "price", "volume"} into lines of CSV.
//
//     reference [--threads 1|2] URL OUT ROWS
//     reference --version
//
// Frames are cut out of one large read buffer in place, simdjson parses each payload where it lies,
// std::to_chars writes the numbers, and write(2) gets a MiB at a time. With two threads, the first
// reads and parses, and the second writes the text of the rows, in blocks, by a bounded queue.
//
// It is no program to rely on: the URL is ws://host:port/path, messages come in one frame each
// (a fragmented one is an error), a message that is no row ends the run, and so does a lost
// connection. It keeps no journal, and syncs nothing.

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <simdjson.h>

namespace {

constexpr size_t READ_SIZE = 1 << 20;   // bytes of the read buffer; a message must fit
constexpr size_t WRITE_SIZE = 1 << 20;  // bytes of text for one write
constexpr size_t BLOCK_ROWS = 8192;     // rows that go to the other thread together
constexpr size_t QUEUE_BLOCKS = 8;      // of which so many may wait
constexpr size_t NUMBERS_SIZE = 64;     // bytes for the longest two numbers, commas and the line end

constexpr uint8_t TEXT = 0x1, CLOSE = 0x8, PING = 0x9, PONG = 0xA;

[[noreturn]] void fail_with_errno(const std::string &what) {
    throw std::system_error(errno, std::generic_category(), what);
}

// ---- The output -----------------------------------------------------------------------------

// The volume of a row: a whole number, another one, or none.
struct Volume {
    enum Kind : uint8_t { NONE, WHOLE, FRACTION } kind = NONE;
    union {
        int64_t whole = 0;
        double fraction;
    };
};

class CsvFile {
public:
    explicit CsvFile(const char *path)
        : file_(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)),
          text_(new char[WRITE_SIZE]) {
        if (file_ < 0) fail_with_errno(path);
        append("symbol,price,volume\n");
    }

    ~CsvFile() { close(file_); }

    void add(std::string_view symbol, double price, Volume volume) {
        append_cell(symbol);
        reserve(NUMBERS_SIZE);
        char *at = text_.get() + size_, *end = text_.get() + WRITE_SIZE;
        *at++ = ',';
        at = std::to_chars(at, end, price).ptr;
        *at++ = ',';
        if (volume.kind == Volume::WHOLE) at = std::to_chars(at, end, volume.whole).ptr;
        if (volume.kind == Volume::FRACTION) at = std::to_chars(at, end, volume.fraction).ptr;
        *at++ = '\n';
        size_ = at - text_.get();
    }

    void flush() {
        for (size_t at = 0; at < size_;) {
            ssize_t written = write(file_, text_.get() + at, size_ - at);
            if (written < 0 && errno != EINTR) fail_with_errno("write");
            if (written > 0) at += written;
        }
        size_ = 0;
    }

private:
    int file_;
    std::unique_ptr<char[]> text_;
    size_t size_ = 0;

    void reserve(size_t size) {
        if (size_ + size > WRITE_SIZE) flush();
        if (size > WRITE_SIZE) throw std::length_error("a cell has more than a MiB");
    }

    void append(std::string_view text) {
        reserve(text.size());
        std::memcpy(text_.get() + size_, text.data(), text.size());
        size_ += text.size();
    }

    // RFC 4180: what has a comma, a quote or a line end in it stands in quotes.
    void append_cell(std::string_view text) {
        bool special = false;
        for (char each : text) special |= each == ',' || each == '"' || each == '\n' || each == '\r';
        if (!special) return append(text);
        append("\"");
        for (char each : text) append(each == '"' ? "\"\"" : std::string_view(&each, 1));
        append("\"");
    }
};

// ---- Two threads ----------------------------------------------------------------------------

struct Block {
    struct Row {
        uint32_t symbol_end;  // in `symbols`, where the row before ends
        Volume volume;
        double price;
    };
    std::vector<Row> rows;
    std::string symbols;

    Block() {
        rows.reserve(BLOCK_ROWS);
        symbols.reserve(BLOCK_ROWS * 8);
    }
};

// A bounded queue of blocks to a thread that writes them; used blocks come back to be filled again.
class Writer {
public:
    explicit Writer(CsvFile &file) : file_(file), thread_([this] { run(); }) {}

    ~Writer() {
        if (!thread_.joinable()) return;
        end();
    }

    void add(std::string_view symbol, double price, Volume volume) {
        block_->symbols += symbol;
        block_->rows.push_back({uint32_t(block_->symbols.size()), volume, price});
        if (block_->rows.size() == BLOCK_ROWS) hand_over();
    }

    // Write all that is left, and wait for it.
    void finish() {
        hand_over();
        end();
        if (error_) std::rethrow_exception(error_);
    }

private:
    CsvFile &file_;
    std::unique_ptr<Block> block_ = std::make_unique<Block>();
    std::deque<std::unique_ptr<Block>> queue_, used_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ended_ = false;
    std::exception_ptr error_;
    std::thread thread_;  // the last one, since it uses the others

    void hand_over() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return queue_.size() < QUEUE_BLOCKS || error_; });
        if (error_) std::rethrow_exception(error_);
        queue_.push_back(std::move(block_));
        if (used_.empty()) {
            block_ = std::make_unique<Block>();
        } else {
            block_ = std::move(used_.back());
            used_.pop_back();
        }
        changed_.notify_all();
    }

    void end() {
        {
            std::lock_guard lock(mutex_);
            ended_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }

    void run() try {
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [this] { return !queue_.empty() || ended_; });
            if (queue_.empty()) return;
            auto block = std::move(queue_.front());
            queue_.pop_front();
            changed_.notify_all();
            lock.unlock();
            write(*block);
            block->rows.clear();
            block->symbols.clear();
            lock.lock();
            used_.push_back(std::move(block));
        }
    } catch (...) {
        std::lock_guard lock(mutex_);
        error_ = std::current_exception();
        changed_.notify_all();
    }

    void write(const Block &block) {
        std::string_view symbols = block.symbols;
        uint32_t begin = 0;
        for (const auto &row : block.rows) {
            file_.add(symbols.substr(begin, row.symbol_end - begin), row.price, row.volume);
            begin = row.symbol_end;
        }
    }
};

// ---- The parser -----------------------------------------------------------------------------

template <typename Sink>
class Parser {
public:
    explicit Parser(Sink &sink) : sink_(sink) {}

    // A row of a message, behind which there are SIMDJSON_PADDING bytes that may be read.
    void add(const char *message, size_t size) {
        auto document = parser_.iterate(message, size, size + simdjson::SIMDJSON_PADDING);
        auto object = document.get_object();
        std::string_view symbol = object["symbol"];
        double price = object["price"];
        Volume volume;
        auto value = object["volume"];
        if (value.error() == simdjson::NO_SUCH_FIELD) return sink_.add(symbol, price, volume);
        if (!value.is_null()) {
            simdjson::ondemand::number number = value.get_number();
            if (number.is_int64()) {
                volume.kind = Volume::WHOLE;
                volume.whole = number.get_int64();
            } else {
                volume.kind = Volume::FRACTION;
                volume.fraction = number.as_double();
            }
        }
        sink_.add(symbol, price, volume);
    }

private:
    Sink &sink_;
    simdjson::ondemand::parser parser_;
};

// ---- The connection -------------------------------------------------------------------------

class Connection {
public:
    explicit Connection(const std::string &url)
        : buffer_(new char[READ_SIZE + simdjson::SIMDJSON_PADDING]) {
        if (!url.starts_with("ws://")) throw std::invalid_argument("the URL must be ws://host:port/");
        std::string host = url.substr(5), path = "/", port = "80";
        if (auto slash = host.find('/'); slash != std::string::npos) {
            path = host.substr(slash);
            host.resize(slash);
        }
        std::string authority = host;
        if (auto colon = host.rfind(':'); colon != std::string::npos) {
            port = host.substr(colon + 1);
            host.resize(colon);
        }
        connect_to(host, port);
        shake_hands(authority, path);
    }

    ~Connection() { close(socket_); }

    // Give `rows` messages to a parser, or as many as come before the server closes.
    template <typename Sink>
    void read(Parser<Sink> &parser, uint64_t rows) {
        while (rows) {
            const char *payload;
            size_t size;
            uint8_t opcode;
            while (rows && next_frame(opcode, payload, size)) {
                if (opcode == TEXT) {
                    parser.add(payload, size);
                    --rows;
                } else if (opcode == PING) {
                    send_control(PONG, payload, size);
                } else if (opcode == CLOSE) {
                    return send_control(CLOSE, payload, size);
                } else if (opcode != PONG) {
                    throw std::runtime_error("the server has sent a frame that is not taken here");
                }
            }
            if (rows) receive();
        }
    }

private:
    int socket_ = -1;
    std::unique_ptr<char[]> buffer_;
    size_t begin_ = 0, end_ = 0;  // of what has come and is not taken yet

    void connect_to(const std::string &host, const std::string &port) {
        addrinfo hints{}, *found;
        hints.ai_socktype = SOCK_STREAM;
        if (int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found))
            throw std::runtime_error(host + ": " + gai_strerror(error));
        std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
        socket_ = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (socket_ < 0 || connect(socket_, found->ai_addr, found->ai_addrlen))
            fail_with_errno(host + ":" + port);
    }

    // RFC 6455, section 4.1. The key need not be random here, nor the answer to it be checked: both
    // guard against caches, and there are none between two processes of one machine.
    void shake_hands(const std::string &authority, const std::string &path) {
        send_all("GET " + path + " HTTP/1.1\r\nHost: " + authority +
                 "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        size_t end;
        do {
            receive();
            end = std::string_view(buffer_.get(), end_).find("\r\n\r\n");
        } while (end == std::string_view::npos);
        if (!std::string_view(buffer_.get(), end_).starts_with("HTTP/1.1 101 "))
            throw std::runtime_error("the server does not speak WebSocket");
        begin_ = end + 4;
    }

    // Read what there is, behind what has not been taken, which is moved to the front before.
    void receive() {
        std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        if (end_ == READ_SIZE) throw std::runtime_error("a message has more than a MiB");
        ssize_t size;
        do size = recv(socket_, buffer_.get() + end_, READ_SIZE - end_, 0);
        while (size < 0 && errno == EINTR);
        if (size < 0) fail_with_errno("recv");
        if (size == 0) throw std::runtime_error("the connection was lost");
        end_ += size;
    }

    // Take a whole frame (RFC 6455, section 5.2); false if the rest of it has not come yet.
    bool next_frame(uint8_t &opcode, const char *&payload, size_t &size) {
        const auto *head = reinterpret_cast<const uint8_t *>(buffer_.get()) + begin_;
        size_t there = end_ - begin_, head_size = 2;
        if (there < 2) return false;
        size = head[1];
        if (size >= 126) {  // masked ones, of 128 and more, are not what a server sends
            size_t digits = size == 126 ? 2 : 8;
            head_size += digits;
            if (there < head_size) return false;
            if (size > 127) throw std::runtime_error("the server has sent a masked frame");
            size = 0;
            for (size_t at = 0; at < digits; ++at) size = size << 8 | head[2 + at];
        }
        if (there - head_size < size) return false;
        if ((head[0] & 0xF0) != 0x80) throw std::runtime_error("the server has sent a fragment");
        opcode = head[0] & 0x0F;
        payload = buffer_.get() + begin_ + head_size;
        begin_ += head_size + size;
        return true;
    }

    // A client's frames are masked; a mask of zeros changes nothing.
    void send_control(uint8_t opcode, const char *payload, size_t size) {
        std::string frame{char(0x80 | opcode), char(0x80 | size), 0, 0, 0, 0};
        send_all(frame.append(payload, size));
    }

    void send_all(std::string_view data) {
        while (!data.empty()) {
            ssize_t sent = send(socket_, data.data(), data.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno != EINTR) fail_with_errno("send");
            if (sent > 0) data.remove_prefix(sent);
        }
    }
};

void capture(int threads, const std::string &url, const char *out, uint64_t rows) {
    CsvFile file(out);
    Connection connection(url);
    if (threads == 1) {
        Parser<CsvFile> parser(file);
        connection.read(parser, rows);
    } else {
        Writer writer(file);
        Parser<Writer> parser(writer);
        connection.read(parser, rows);
        writer.finish();
    }
    file.flush();
}

}  // namespace

int main(int count, char **values) {
    std::vector<std::string> arguments(values + 1, values + count);
    if (arguments == std::vector<std::string>{"--version"}) {
        std::cout << "simdjson " << SIMDJSON_STRINGIFY(SIMDJSON_VERSION) << ", g++ " << __VERSION__
                  << "\n";
        return 0;
    }
    int threads = 1;
    if (arguments.size() == 5 && arguments[0] == "--threads") {
        threads = std::stoi(arguments[1]);
        arguments.erase(arguments.begin(), arguments.begin() + 2);
    }
    if (arguments.size() != 3 || threads < 1 || threads > 2) {
        std::cerr << "usage: reference [--threads 1|2] URL OUT ROWS\n";
        return 2;
    }
    try {
        capture(threads, arguments[0], arguments[1].c_str(), std::stoull(arguments[2]));
    } catch (const std::exception &error) {
        std::cerr << "reference: " << error.what() << "\n";
        return 1;
    }
    return 0;
}
