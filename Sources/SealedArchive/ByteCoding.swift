// SPDX-License-Identifier: Apache-2.0

extension Array where Element == UInt8 {
    /// Appends an integer in big-endian order, the only order of our formats.
    mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}

extension UnsafeRawBufferPointer {
    /// The big-endian integer at an offset that the caller has checked.
    func bigEndian<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type) -> Value {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= count, "integer lies inside its record")
        return Value(bigEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }
}
