import CryptoExtras
import Foundation

/// A fresh RSA identity, as a libp2p PrivateKey message: type 0 and the PKCS#1 form of the key.
enum RSAKey {
  static var freshHex: String {
    guard let key = try? _RSA.Signing.PrivateKey(keySize: .bits2048) else { return "" }
    let der = [UInt8](key.derRepresentation)
    var message: [UInt8] = [0x08, 0x00, 0x12]
    var length = der.count
    while length > 0x7f {
      message.append(UInt8(length & 0x7f) | 0x80)
      length >>= 7
    }
    message.append(UInt8(length))
    return hex(message + der)
  }
}
