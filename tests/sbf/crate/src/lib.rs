//! One operation per instruction: the first byte names it, the rest are its arguments, little-endian. The answer
//! is the transaction's return data. Nothing here is known at compile time, so nothing is folded away.

mod arithmetic;
mod calls;
mod memory;
mod runtime;
mod text;

use runtime::Reader;

/// Runs one operation.
///
/// # Safety
/// The runtime calls it with the address of its input.
#[no_mangle]
pub unsafe extern "C" fn entrypoint(input: *const u8) -> u64 {
    let data = runtime::instruction_data(input);
    let mut arguments = Reader::new(&data[1..]);
    let answer = match data[0] {
        b'w' => arithmetic::wide(&mut arguments),
        b'c' => arithmetic::checked(&mut arguments),
        b'd' => arithmetic::divide(&mut arguments),
        b's' => arithmetic::shift(&mut arguments),
        b'b' => arithmetic::bits(&mut arguments),
        b'm' => memory::variable(&mut arguments),
        b'k' => memory::constant(&mut arguments),
        b'a' => memory::assign(&mut arguments),
        b'o' => calls::objects(&mut arguments),
        b'f' => calls::many(&mut arguments),
        b't' => text::format(&mut arguments),
        b'r' => text::collect(&mut arguments),
        b'p' => panics(&mut arguments),
        _ => return 1,
    };
    runtime::answer(&answer);
    0
}

/// Each way to panic; none returns.
fn panics(arguments: &mut Reader) -> Vec<u8> {
    let (way, number) = (arguments.u8(), arguments.u64());
    let values = [number; 3];
    match way {
        0 => panic!("asked to, with {number}"),
        1 => vec![values[number as usize] as u8],
        2 => vec![(number + u64::MAX) as u8],
        3 => vec![Some(1u8).filter(|_| number == 0).unwrap()],
        4 => vec![(7 / (number - number / 1)) as u8],
        5 => Vec::with_capacity(number as usize),
        6 => vec![Err::<u8, _>(number).expect("a number")],
        _ => vec![core::cell::RefCell::new(1u8); 1]
            .iter()
            .map(|cell| {
                let _held = cell.borrow_mut();
                *cell.borrow()
            })
            .collect(),
    }
}
