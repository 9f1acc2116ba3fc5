//! Options of any value, by number and by name, and endpoints of any text, on sockets of each kind. A call may fail.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use zmq::sockopt::OptionInfo;
use zmq::{Context, Kind, Socket};
use zmq_fuzz::{Bystander, Input};

struct World {
    context: Context,
    bystander: Bystander,
    runs: u64,
}

/// An address of this host. The names of others would be asked of a name server.
fn endpoint(input: &mut Input<'_>) -> String {
    let transport = input.pick(&["tcp", "ws", "inproc", "udp", "tcp", "vmci", "TCP", ""]);
    let text = input.text();
    match transport {
        "inproc" => format!("inproc://{text}"),
        _ => {
            let kept = |c: &char| c.is_ascii_digit() || !c.is_ascii_alphabetic() && *c != '/' && c.is_ascii();
            format!("{transport}://{}", text.chars().filter(kept).collect::<String>())
        }
    }
}

fn call(socket: &Socket<'static>, input: &mut Input<'_>) {
    let infos: Vec<_> = OptionInfo::all().collect();
    match input.byte() % 6 {
        0 => {
            let info = infos[usize::from(input.byte()) % infos.len()];
            let _ = socket.set_option(info.name, input.text());
        }
        1 => {
            let info = infos[usize::from(input.byte()) % infos.len()];
            let _ = socket.set_option(info.number, i32::from_ne_bytes([0; 4].map(|_: u8| input.byte())));
        }
        2 => {
            let info = infos[usize::from(input.byte()) % infos.len()];
            let _ = socket.set_option(info.number, input.bytes().to_vec());
        }
        3 => {
            let _ = socket.option(i32::from(input.byte()));
        }
        4 => {
            let _ = socket.bind(&endpoint(input));
        }
        _ => {
            let _ = socket.connect(&endpoint(input));
        }
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new({
        let context = Context::new().unwrap();
        let bystander = Bystander::new(&context);
        World { context, bystander, runs: 0 }
    });
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    WORLD.with_borrow_mut(|world| {
        let kind = input.pick(Kind::ALL);
        let socket = world.context.owned_socket(kind).unwrap();
        for _ in 0..32 {
            if input.is_empty() {
                break;
            }
            call(&socket, &mut input);
        }
        socket.set_linger(std::time::Duration::ZERO).unwrap();
        drop(socket);
        world.runs += 1;
        if world.runs % 16 == 0 {
            world.bystander.is_served();
        }
    });
});
