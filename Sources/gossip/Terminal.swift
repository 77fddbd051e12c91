import Foundation
import Synchronization

/// What goes to the person or program that called: data on standard output, everything else on standard error.
enum Terminal {
  /// Whether somebody looks at standard output, or at standard error.
  static var showsOutput: Bool { isatty(STDOUT_FILENO) == 1 }
  static var showsErrors: Bool { isatty(STDERR_FILENO) == 1 }

  /// Writes one line of data.
  static func print(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

  /// Says something to a person.
  static func say(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

  /// Writes all of `text`; a reader that has gone away ends the process quietly, as tools in a pipe do.
  static func write(_ text: String, to file: Int32) { write(Array(text.utf8), to: file) }

  static func write(_ bytes: [UInt8], to file: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = unsafe rest.withUnsafeBytes { unsafe Foundation.write(file, $0.baseAddress, $0.count) }
      if written < 0, errno == EINTR || errno == EAGAIN { continue }
      guard written > 0 else { exit(0) }
      rest = rest.dropFirst(written)
    }
  }
}

/// One JSON object on one line, keys in the order they were added.
struct JSONLine {
  private var fields: [String] = []

  mutating func add(_ key: String, _ value: String) {
    fields.append("\(JSONLine.quoted(key)):\(JSONLine.quoted(value))")
  }
  mutating func add(_ key: String, _ value: some BinaryInteger) {
    fields.append("\(JSONLine.quoted(key)):\(value)")
  }
  mutating func add(_ key: String, _ value: Double) {
    fields.append("\(JSONLine.quoted(key)):\(value.isFinite ? String(format: "%.4g", value) : "null")")
  }
  mutating func add(_ key: String, _ values: [String]) {
    fields.append("\(JSONLine.quoted(key)):[\(values.map(JSONLine.quoted).joined(separator: ","))]")
  }

  var text: String { "{\(fields.joined(separator: ","))}" }

  static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case let control where control.value < 0x20: out += String(format: "\\u%04x", control.value)
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}

/// A bar on standard error that shows how far long work has come; nothing at all when nobody looks.
struct ProgressBar {
  private let title: String
  private var lastShown = -1

  init(_ title: String) { self.title = title }

  /// - Parameter share: 0…1.
  mutating func show(_ share: Double) {
    guard Terminal.showsErrors else { return }
    let width = 30
    let filled = Int(max(0, min(1, share)) * Double(width))
    let percent = Int(share * 100)
    guard percent != lastShown else { return }
    lastShown = percent
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
    Terminal.write("\r\(title) \(bar) \(percent) %\u{1b}[K", to: STDERR_FILENO)
  }

  func clear() {
    guard Terminal.showsErrors, lastShown >= 0 else { return }
    Terminal.write("\r\u{1b}[K", to: STDERR_FILENO)
  }
}

/// Columns of text, right-aligned but for the first.
enum Table {
  static func render(_ rows: [[String]]) -> [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      row.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + padding : padding + cell
      }.joined(separator: "  ")
    }
  }
}

/// Numbers as people like to read them.
enum Figures {
  static func bytes(_ count: some BinaryInteger) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(count)
    var unit = 0
    while value >= 1_024, unit < units.count - 1 {
      value /= 1_024
      unit += 1
    }
    return unit == 0 ? "\(Int(value)) B" : String(format: "%.1f %@", value, units[unit])
  }

  static func milliseconds(_ duration: Double?) -> String {
    guard let duration else { return "–" }
    return duration < 10 ? String(format: "%.2f ms", duration) : String(format: "%.0f ms", duration)
  }

  /// With one place behind the point.
  static func score(_ score: Double) -> String { String(format: "%.1f", score) }

  static func count(_ number: some BinaryInteger) -> String {
    var digits = String(number)
    var position = digits.count - 3
    while position > 0 {
      digits.insert(",", at: digits.index(digits.startIndex, offsetBy: position))
      position -= 3
    }
    return digits
  }
}
