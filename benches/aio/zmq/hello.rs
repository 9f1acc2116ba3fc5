//! Hello world, whose size is compared.

fn main() -> zmq::Result<()> {
    let context = zmq::Context::new();
    let (server, client) = (context.socket(zmq::REP)?, context.socket(zmq::REQ)?);
    server.bind("tcp://127.0.0.1:*")?;
    client.connect(&server.get_last_endpoint()?.expect("text"))?;
    client.send("Hello", 0)?;
    println!("{}", server.recv_string(0)?.expect("text"));
    server.send("World", 0)?;
    println!("{}", client.recv_string(0)?.expect("text"));
    Ok(())
}
