# ruby rails.rb PORT FILE: a controller of Rails that includes the module in FILE, served on PORT.
require "action_controller"
require "rack"
require "webrick"
require "rack/handler/webrick"
load ARGV[1]

class PagesController < ActionController::Base
  include CachedPage

  def show
    cached_page 600, "product-17", "category-3"
    render plain: "for #{request.headers["Cookie"] || "everybody"}\n"
  end
end

app = ActionDispatch::Routing::RouteSet.new.tap { |set| set.draw { get "*path", to: "pages#show" } }
$stderr.puts "ActionPack #{ActionPack.version}"
Rack::Handler::WEBrick.run(app, Host: "127.0.0.1", Port: ARGV[0].to_i, AccessLog: [])
